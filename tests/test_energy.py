"""Energy and carbon: ranges by search over corners, and every published account recomputed."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import constants

from primer_ref.energy import (
    BOLTZMANN,
    Interval,
    energy_kwh,
    energy_per_token,
    landauer_distance,
    landauer_limit,
    location_based_carbon,
    market_based_carbon,
)

intervals = st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(lambda ab: Interval(*sorted(ab)))


def number(value: float | Interval) -> float:
    assert not isinstance(value, Interval)
    return value


def ends(value: float | Interval) -> tuple[float, float]:
    assert isinstance(value, Interval)
    return value.low, value.high


@given(intervals, intervals, intervals, st.floats(0, 1))
@pytest.mark.equation("eq-interval-product")
def test_a_range_is_that_of_the_corners_and_holds_what_is_between(
    a: Interval, b: Interval, c: Interval, at: float
) -> None:
    result = (2.0 * a) * b + c + 1
    corners = [2 * x * y + z + 1 for x, y, z in itertools.product(ends(a), ends(b), ends(c))]
    assert ends(result) == (min(corners), max(corners))
    x, y, z = (low + at * (high - low) for low, high in map(ends, (a, b, c)))
    inside = 2 * x * y + z + 1
    assert result.low * (1 - 1e-12) <= inside <= result.high * (1 + 1e-12)


def test_numbers_of_numpy_are_numbers() -> None:
    assert np.float64(2) * Interval(1, 2) == Interval(2, 4) == Interval(1, 2) * np.float64(2)
    assert np.float64(2) + Interval(1, 2) == Interval(3, 4)


@pytest.mark.equation("eq-product-coverage")
def test_an_interval_is_a_worst_case_and_not_a_confidence_interval() -> None:
    # Three independent factors, each inside its interval with probability 0.8.
    draws = np.random.default_rng(0).lognormal(size=(3, 100_000))
    low, high = np.quantile(draws, [0.1, 0.9], axis=1)
    product = Interval(low[0], high[0]) * Interval(low[1], high[1]) * Interval(low[2], high[2])
    inside = np.mean((product.low <= draws.prod(0)) & (draws.prod(0) <= product.high))
    assert inside > 0.95 > 0.8**3


@pytest.mark.equation("eq-run-energy")
def test_energy_as_printed_by_patterson() -> None:
    # Patterson et al. 2021, table 4: devices, days, watts, overhead; MWh.
    rows = [
        (200, 6.8, 208, 1.1, 7.5),  # search for the Evolved Transformer
        (512, 20, 310, 1.12, 85.7),  # T5
        (1024, 30, 289, 1.09, 232),  # Meena
        (1024, 3.1, 288, 1.09, 24.1),  # GShard-600B
        (1024, 27, 245, 1.1, 179),  # Switch Transformer
        (10_000, 14.8, 330, 1.1, 1287),  # GPT-3
    ]
    for devices, days, watts, pue, printed in rows:
        ours = number(energy_kwh(devices * days * 24, watts, pue=pue)) / 1e3
        assert ours == pytest.approx(printed, rel=9e-3)


def test_rounded_inputs_of_patterson_hold_the_printed_energy() -> None:
    # Days are printed to two or three digits: half a unit of the last one covers the difference.
    gshard = energy_kwh(Interval(3.05, 3.15) * (24 * 1024), 288, pue=1.09)
    gpt3 = energy_kwh(Interval(14.75, 14.85) * (24 * 10_000), 330, pue=1.1)
    for energy, printed in ((gshard, 24.1e3), (gpt3, 1287e3)):
        low, high = ends(energy)
        assert low <= printed <= high


@pytest.mark.equation("eq-location-carbon")
@pytest.mark.equation("eq-market-carbon")
def test_carbon_as_printed_by_patterson() -> None:
    # The same table: MWh, then gross and net kg/kWh and tonnes. Gross is the grid's mean; net
    # leaves out the clean energy that the provider had bought.
    rows = [
        (7.5, 0.431, 3.2, 0.431, 3.2),
        (85.7, 0.545, 46.7, 0.545, 46.7),
        (232, 0.415, 96.4, 0.415, 96.4),
        (24.1, 0.201, 4.8, 0.177, 4.3),
        (179, 0.403, 72.2, 0.330, 59.1),
        (1287, 0.429, 552.1, 0.429, 552.1),
    ]
    for mwh, gross, gross_tonnes, net, net_tonnes in rows:
        location = number(location_based_carbon(mwh * 1e3, gross))
        assert location == pytest.approx(gross_tonnes, abs=0.16)
        assert number(location_based_carbon(mwh * 1e3, net)) == pytest.approx(net_tonnes, abs=0.16)
        market = market_based_carbon(
            mwh * 1e3,
            contract_share=1 - net / gross,
            contract_intensity=0,
            residual_intensity=gross,
        )
        assert number(market) == pytest.approx(net_tonnes, abs=0.16)


@pytest.mark.equation("eq-location-carbon")
def test_bloom_as_printed() -> None:
    # Luccioni, Viguier & Ligozat 2023, tables 1 and 3: no overhead in the dynamic part.
    dynamic = number(energy_kwh(1_082_990, 400, pue=1))
    assert dynamic == pytest.approx(433_196, abs=0.5)
    tonnes = [number(location_based_carbon(kwh, 0.057)) for kwh in (dynamic, 256_646)]
    np.testing.assert_allclose(tonnes, [24.69, 14.6], rtol=3e-3)
    assert sum(tonnes) + 11.2 == pytest.approx(50.5, rel=1e-3)


@pytest.mark.equation("eq-run-energy")
def test_llama_as_printed() -> None:
    # Touvron et al. 2023, table 15: hours at 400 W and an overhead of 1.1; 0.385 kg/kWh.
    rows = [(82_432, 36, 14), (135_168, 59, 23), (530_432, 233, 90), (1_022_362, 449, 173)]
    for hours, mwh, tonnes in rows:
        kwh = number(energy_kwh(hours, 400, pue=1.1))
        assert kwh / 1e3 == pytest.approx(mwh, abs=0.9)
        assert number(location_based_carbon(kwh, 0.385)) == pytest.approx(tonnes, abs=0.9)


@given(st.floats(0, 1), intervals)
@pytest.mark.equation("eq-market-carbon")
def test_certificates_for_the_mean_grid_change_nothing(share: float, grid: Interval) -> None:
    market = market_based_carbon(
        1e3, contract_share=share, contract_intensity=grid, residual_intensity=grid
    )
    np.testing.assert_allclose(ends(market), ends(location_based_carbon(1e3, grid)), rtol=1e-12)


@pytest.mark.equation("eq-token-energy")
def test_energy_adds_where_time_takes_the_larger() -> None:
    # At the ridge both parts take the time of one and the energy of two.
    watts, flops, bandwidth = 700.0, 989e12, 3.35e12
    joules = energy_per_token(
        flops, bandwidth, joules_per_flop=watts / flops, joules_per_byte=watts / bandwidth
    )
    assert number(joules) == pytest.approx(2 * watts)
    assert energy_per_token(
        3, 5, joules_per_flop=Interval(1, 2), joules_per_byte=Interval(10, 20)
    ) == Interval(53, 106)


@pytest.mark.equation("eq-landauer")
@pytest.mark.equation("eq-landauer-distance")
def test_landauers_limit() -> None:
    assert constants.k == BOLTZMANN
    # An electronvolt is 11604.5 K: at that temperature the limit is log 2 of one.
    kelvin = constants.e / constants.k
    assert landauer_limit(kelvin) / constants.e == pytest.approx(math.log(2))
    assert landauer_distance(8 * landauer_limit(310), n_bits=4, kelvin=310) == pytest.approx(2)
    ratio = ends(landauer_distance(Interval(1, 2), n_bits=1, kelvin=300))
    assert ratio == pytest.approx((1 / landauer_limit(300), 2 / landauer_limit(300)))
