"""Energy and carbon of computing, with what is not known carried along as intervals.

Every quantity here is a product of nonnegative factors, and a factor may be a number or an
`Interval`. A product grows with each of its factors, so it is smallest when all are smallest and
largest when all are largest. That range is exact if the factors can vary freely, and it is a worst
case: that all of them are at their worst together may be most unlikely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from primer_ref.checks import check_nonnegative, check_positive

__all__ = [
    "BOLTZMANN",
    "Interval",
    "energy_kwh",
    "energy_per_token",
    "landauer_distance",
    "landauer_limit",
    "location_based_carbon",
    "market_based_carbon",
]

#: The constant of Boltzmann in J/K, exact since it defines the kelvin.
BOLTZMANN = 1.380649e-23


@dataclass(frozen=True, slots=True)
class Interval:
    """A quantity that is not negative and lies between two bounds.

    Attributes
    ----------
    low : float
        Smallest value.
    high : float
        Largest value.

    Raises
    ------
    ValueError
        If the bounds are out of order, negative or not numbers.

    Notes
    -----
    Sums and products of intervals, and of intervals and numbers, are the ranges of the sums and
    products: both grow with each term and factor, also where a quantity enters twice. Differences
    and quotients have no such rule, and are not defined. Nor is this a confidence interval. If
    each of k independent factors lies in its interval with probability p, the product does so with
    a probability of at least pᵏ, and most often with a much larger one.

    Implements :eq:`eq-interval-product`.

    Examples
    --------
    >>> from primer_ref.energy import Interval
    >>> Interval(300, 400) * Interval(1.1, 1.2)
    Interval(low=330.0, high=480.0)
    >>> 2 * Interval(1, 2) + 1
    Interval(low=3, high=5)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError(
                f"bounds must be in order and not negative; got {self.low} and {self.high}"
            )

    def __add__(self, other: float | Interval) -> Interval:
        other = _interval(other)
        return Interval(self.low + other.low, self.high + other.high)

    def __mul__(self, other: float | Interval) -> Interval:
        other = _interval(other)
        return Interval(self.low * other.low, self.high * other.high)

    __radd__ = __add__
    __rmul__ = __mul__


Amount = float | Interval


def _interval(value: Amount) -> Interval:
    return value if isinstance(value, Interval) else Interval(value, value)


def _check_not_negative(**values: Amount) -> None:
    for name, value in values.items():
        if not isinstance(value, Interval):  # whose bounds are not negative
            check_nonnegative(value, name)


def energy_kwh(device_hours: Amount, watts: Amount, *, pue: Amount) -> Amount:
    r"""Energy of a computation, hours × power × overhead.

    Parameters
    ----------
    device_hours : float or Interval
        Hours of all devices together.
    watts : float or Interval
        Mean power of a device.
    pue : float or Interval
        Power usage effectiveness: what the building draws for each watt of its computers.

    Returns
    -------
    float or Interval
        Kilowatt-hours.

    Raises
    ------
    ValueError
        If a factor is negative, or the effectiveness is below 1.

    Notes
    -----
    The power that a datasheet allows is an upper bound of the mean. Idle devices, networks, hosts,
    failed runs and the making of the hardware are in these numbers only if someone put them there.

    Implements :eq:`eq-run-energy`.

    References
    ----------
    D. Patterson et al. (2021), Carbon Emissions and Large Neural Network Training.

    Examples
    --------
    >>> from primer_ref.energy import Interval, energy_kwh
    >>> f"{energy_kwh(10_000 * 14.8 * 24, 330, pue=1.1) / 1e3:,.0f} MWh"  # GPT-3
    '1,289 MWh'
    >>> energy_kwh(1000, Interval(250, 400), pue=Interval(1.25, 1.5))
    Interval(low=312.5, high=600.0)
    """
    _check_not_negative(device_hours=device_hours, watts=watts)
    if not (pue.low if isinstance(pue, Interval) else pue) >= 1:
        raise ValueError(f"pue must be at least 1; got {pue}")
    return device_hours * (watts * 1e-3) * pue


def location_based_carbon(kwh: Amount, grid_intensity: Amount) -> Amount:
    """Carbon of energy as the grid delivered it, whatever contracts say.

    Parameters
    ----------
    kwh : float or Interval
        Energy.
    grid_intensity : float or Interval
        Mean emissions of the grid where the energy was used, kg a kilowatt-hour.

    Returns
    -------
    float or Interval
        Tonnes, of CO₂ or of all gases in its equivalent, as the intensity counts them.

    Raises
    ------
    ValueError
        If a factor is negative.

    Notes
    -----
    Implements :eq:`eq-location-carbon`.

    References
    ----------
    World Resources Institute (2015), GHG Protocol Scope 2 Guidance.

    Examples
    --------
    >>> from primer_ref.energy import location_based_carbon
    >>> f"{location_based_carbon(433_196, 0.057):.1f} t"  # BLOOM
    '24.7 t'
    """
    _check_not_negative(kwh=kwh, grid_intensity=grid_intensity)
    return kwh * grid_intensity * 1e-3


def market_based_carbon(
    kwh: Amount,
    *,
    contract_share: float,
    contract_intensity: Amount,
    residual_intensity: Amount,
) -> Amount:
    r"""Carbon of energy as it was bought, :math:`E\,(s c + (1 - s) r)`.

    Parameters
    ----------
    kwh : float or Interval
        Energy, E.
    contract_share : float
        Share of it that contracts or certificates cover, s.
    contract_intensity : float or Interval
        Emissions of what they cover, c, kg a kilowatt-hour; 0 for wind and sun.
    residual_intensity : float or Interval
        Emissions of the rest of the grid, r, without what others have bought.

    Returns
    -------
    float or Interval
        Tonnes.

    Raises
    ------
    ValueError
        If a factor is negative, or the share is not one.

    Notes
    -----
    The two accounts answer different questions, and the standard asks for both: this one says who
    paid for which plant, `location_based_carbon` which plants ran. Since what is bought leaves the
    residual mix dirtier for the others, one must not count certificates against the mean grid.

    Implements :eq:`eq-market-carbon`.

    References
    ----------
    World Resources Institute (2015), GHG Protocol Scope 2 Guidance.

    Examples
    --------
    >>> from primer_ref.energy import market_based_carbon
    >>> market_based_carbon(
    ...     1e6, contract_share=0.75, contract_intensity=0.0, residual_intensity=0.5
    ... )
    125.0
    """
    _check_not_negative(
        kwh=kwh, contract_intensity=contract_intensity, residual_intensity=residual_intensity
    )
    if not 0 <= contract_share <= 1:
        raise ValueError(f"contract_share must lie in [0, 1]; got {contract_share}")
    covered, rest = contract_share * contract_intensity, (1 - contract_share) * residual_intensity
    return kwh * (covered + rest) * 1e-3


def energy_per_token(
    flops: Amount, moved_bytes: Amount, *, joules_per_flop: Amount, joules_per_byte: Amount
) -> Amount:
    r"""Energy of the operations and of the bytes that a token needs, :math:`F e_F + M e_M`.

    Parameters
    ----------
    flops : float or Interval
        Operations, F.
    moved_bytes : float or Interval
        Bytes between memory and processor, M: a batch's, divided by its tokens.
    joules_per_flop : float or Interval
        Energy of an operation.
    joules_per_byte : float or Interval
        Energy of moving a byte.

    Returns
    -------
    float or Interval
        Joules.

    Raises
    ------
    ValueError
        If a factor is negative.

    Notes
    -----
    Time takes the larger of the two, since they overlap; energy takes their sum, since nothing is
    saved by doing both at once. A device's power over each of its peak rates bounds the two
    coefficients from above. Power that flows whatever is done, times the time, comes on top.

    Implements :eq:`eq-token-energy`.

    References
    ----------
    J. W. Choi, D. Bedard, R. Fowler and R. Vuduc (2013), A Roofline Model of Energy.

    Examples
    --------
    >>> from primer_ref.energy import Interval, energy_per_token
    >>> joules = energy_per_token(
    ...     16e9, 16e9, joules_per_flop=0.5e-12, joules_per_byte=Interval(50e-12, 100e-12)
    ... )
    >>> f"{joules.low:.3f} J to {joules.high:.3f} J"
    '0.808 J to 1.608 J'
    """
    _check_not_negative(
        flops=flops,
        moved_bytes=moved_bytes,
        joules_per_flop=joules_per_flop,
        joules_per_byte=joules_per_byte,
    )
    return flops * joules_per_flop + moved_bytes * joules_per_byte


def landauer_limit(kelvin: float) -> float:
    r"""Least heat of erasing a bit, :math:`k T \log 2`.

    Parameters
    ----------
    kelvin : float
        Temperature of the surroundings, T.

    Returns
    -------
    float
        Joules.

    Raises
    ------
    ValueError
        If the temperature is not positive.

    Notes
    -----
    The entropy of an unknown bit is k log 2; to erase it is to move that entropy into the
    surroundings, at a cost of T for each unit. It binds erasing, not computing: logic that can be
    run backward erases nothing.

    Implements :eq:`eq-landauer`.

    References
    ----------
    R. Landauer (1961), Irreversibility and Heat Generation in the Computing Process.

    Examples
    --------
    >>> from primer_ref.energy import landauer_limit
    >>> f"{landauer_limit(300):.3g} J"
    '2.87e-21 J'
    """
    check_positive(kelvin, "kelvin")
    return BOLTZMANN * kelvin * math.log(2)


def landauer_distance(joules: Amount, *, n_bits: float, kelvin: float) -> Amount:
    """How many times the least heat an operation takes.

    Parameters
    ----------
    joules : float or Interval
        Energy of the operation.
    n_bits : float
        Bits that it erases.
    kelvin : float
        Temperature of the surroundings.

    Returns
    -------
    float or Interval
        Energy over Landauer's limit for so many bits.

    Raises
    ------
    ValueError
        If the energy is negative, or another number not positive.

    Notes
    -----
    Implements :eq:`eq-landauer-distance`.

    Examples
    --------
    An H100 draws 700 W for 989·10¹² operations a second. If each overwrites 16 bits:

    >>> from primer_ref.energy import landauer_distance
    >>> f"{landauer_distance(700 / 989e12, n_bits=16, kelvin=300):.1e}"
    '1.5e+07'
    """
    _check_not_negative(joules=joules)
    check_positive(n_bits, "n_bits")
    return joules * (1 / (n_bits * landauer_limit(kelvin)))
