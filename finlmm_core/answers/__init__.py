"""The one grader: what a completion's answer is, what it means, and whether it is right."""

from finlmm_core.answers.amounts import Amount
from finlmm_core.answers.extract import Extracted, extract_answer
from finlmm_core.answers.golds import Gold, gold_of
from finlmm_core.answers.grading import Grade, gold_problem, grade_answer, grade_completion, grade_sample
from finlmm_core.answers.parsing import Parsed, parse_answer
from finlmm_core.answers.profiles import PROFILES, Profile, get_profile
from finlmm_core.answers.tags import Tagged, read_tags

__all__ = [
    "PROFILES",
    "Amount",
    "Extracted",
    "Gold",
    "Grade",
    "Parsed",
    "Profile",
    "Tagged",
    "extract_answer",
    "get_profile",
    "gold_of",
    "gold_problem",
    "grade_answer",
    "grade_completion",
    "grade_sample",
    "parse_answer",
    "read_tags",
]
