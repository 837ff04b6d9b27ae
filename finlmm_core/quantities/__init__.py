"""Numbers, units and periods as financial reports print them, in English and Chinese."""

from finlmm_core.quantities.numbers import Number, find_numbers, parse_number
from finlmm_core.quantities.periods import Period, find_periods, parse_period
from finlmm_core.quantities.units import Units, parse_units

__all__ = [
    "Number",
    "Period",
    "Units",
    "find_numbers",
    "find_periods",
    "parse_number",
    "parse_period",
    "parse_units",
]
