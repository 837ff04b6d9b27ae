"""Numbers, units and periods as financial reports print them, in English and Chinese."""

from finlmm_core.quantities.formats import format_amount, format_number, format_percent, scale_word
from finlmm_core.quantities.numbers import Number, find_numbers, normalise_characters, parse_number
from finlmm_core.quantities.periods import Period, find_periods, parse_period
from finlmm_core.quantities.programs import ProgramError, evaluate_program, program_names, round_half_up
from finlmm_core.quantities.recompute import answer_problems, recomputed
from finlmm_core.quantities.units import Units, parse_units

__all__ = [
    "Number",
    "Period",
    "ProgramError",
    "Units",
    "answer_problems",
    "evaluate_program",
    "find_numbers",
    "find_periods",
    "format_amount",
    "format_number",
    "format_percent",
    "normalise_characters",
    "parse_number",
    "parse_period",
    "parse_units",
    "program_names",
    "recomputed",
    "round_half_up",
    "scale_word",
]
