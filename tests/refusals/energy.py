"""What the accounts of energy and carbon refuse."""

from math import nan

from primer_ref.energy import (
    Interval,
    energy_kwh,
    energy_per_token,
    landauer_distance,
    landauer_limit,
    location_based_carbon,
    market_based_carbon,
)

SHARES = {"kwh": 1, "contract_share": 0.5, "contract_intensity": 0, "residual_intensity": 1}
TOKEN = {"flops": 1, "moved_bytes": 1, "joules_per_flop": 1, "joules_per_byte": 1}

ROWS = [
    (Interval, {"low": 2, "high": 1}, "bounds must be in order and not negative; got 2 and 1"),
    (Interval, {"low": -1, "high": 1}, "got -1 and 1"),
    (Interval, {"low": 0, "high": nan}, "got 0 and nan"),
    (energy_kwh, {"device_hours": -1, "watts": 1, "pue": 1}, "device_hours must not be neg"),
    (energy_kwh, {"device_hours": 1, "watts": nan, "pue": 1}, "watts must not be neg.* got nan"),
    (energy_kwh, {"device_hours": 1, "watts": 1, "pue": 0.9}, "pue must be at least 1; got 0.9"),
    (energy_kwh, {"device_hours": 1, "watts": 1, "pue": -0.5}, "pue must be at least 1; got -0.5"),
    (energy_kwh, {"device_hours": 1, "watts": 1, "pue": Interval(0.9, 2)}, "pue must be at least"),
    (location_based_carbon, {"kwh": 1, "grid_intensity": -1}, "grid_intensity must not be neg"),
    (market_based_carbon, SHARES | {"contract_share": 1.1}, r"must lie in \[0, 1\]; got 1.1"),
    (market_based_carbon, SHARES | {"contract_share": nan}, r"must lie in \[0, 1\]; got nan"),
    (market_based_carbon, SHARES | {"kwh": -2}, "kwh must not be negative; got -2"),
    (market_based_carbon, SHARES | {"contract_intensity": -1}, "contract_intensity must not be"),
    (market_based_carbon, SHARES | {"residual_intensity": -1}, "residual_intensity must not be"),
    (energy_per_token, TOKEN | {"joules_per_byte": nan}, "joules_per_byte must not be negative"),
    (energy_per_token, TOKEN | {"joules_per_flop": -1}, "joules_per_flop must not be negative"),
    (energy_per_token, TOKEN | {"flops": -1}, "flops must not be negative; got -1"),
    (energy_per_token, TOKEN | {"moved_bytes": -1}, "moved_bytes must not be negative; got -1"),
    (landauer_limit, {"kelvin": 0}, "kelvin must be positive; got 0"),
    (landauer_distance, {"joules": 1, "n_bits": 0, "kelvin": 300}, "n_bits must be positive"),
    (landauer_distance, {"joules": -1, "n_bits": 1, "kelvin": 300}, "joules must not be negative"),
]
