"""Comparing numbers under a profile: unit, scale, percent, sign, tolerance and rounding."""

from __future__ import annotations

from decimal import Decimal

from finlmm_core.answers.amounts import Amount
from finlmm_core.answers.golds import Gold
from finlmm_core.answers.profiles import Profile

_PERCENT = ("percent", "percentage_points", "basis_points")
_POINT = {"percent": Decimal(1), "percentage_points": Decimal(1), "basis_points": Decimal("0.01")}  # in percent points
_DOLLARS = {"USD", "HKD", "AUD", "CAD", "SGD", "NZD", "TWD", "MXN", "BRL"}
_HUNDRED = Decimal(100)
_HALF = Decimal("0.5")
_SLACK = Decimal("1e-12")  # of a unit: what is lost where a value came through a float
_SMALL = Decimal("0.02")
_HUGE = 400  # digits: no amount has more, and arithmetic on more takes time


def compare_numbers(given: Amount, gold: Gold, profile: Profile) -> tuple[bool, str]:
    """Return whether a given number is the gold number, and why.

    Reasons: 'equal', 'rounded', 'within_tolerance'; 'wrong_unit', 'wrong_sign', 'wrong_scale', 'wrong_percent',
    'wrong_value'.
    """
    target = gold.amount
    if target is None:
        raise ValueError("compare_numbers needs a gold answer with a value")
    if len(given.value.as_tuple().digits) > _HUGE or given.value.adjusted() > _HUGE:
        return False, "wrong_value"
    candidates = _readings(given, target, gold, profile)
    if not candidates:
        return False, "wrong_unit"
    for factor in candidates:
        for value in _signed(given, gold, profile):
            reason = _near(value * factor, given, factor, target, gold, profile)
            if reason:
                return True, reason
    return False, _what_is_wrong(given.value * candidates[0], target)


def _readings(given: Amount, target: Amount, gold: Gold, profile: Profile) -> list[Decimal]:
    """Return by what the given number is to be multiplied to stand in the gold's printed unit; several may be meant."""
    one = Decimal(1)
    if profile.scale == "printed" and profile.percent == "printed":
        return [one]
    if _other_currency(given, target):
        return []
    if given.unit == "unknown":
        return []
    either = profile.percent == "either"
    bare = given.unit in (None, "fraction")
    if target.unit in _PERCENT:
        unit = _POINT[target.unit]
        if given.unit in _PERCENT:
            return [_POINT[given.unit] / unit]
        if given.scale > 1 or given.currency:
            return []
        if given.unit == "multiple":
            return [_HUNDRED / unit] if either else []
        shares = [_HUNDRED / unit] if either or given.unit == "fraction" else []
        return [one, *shares]
    if given.unit in _PERCENT:
        if target.currency or target.scale > 1:
            return []
        share = _POINT[given.unit] / _HUNDRED
        return [share, one] if gold.unit is None and (either or profile.percent == "printed") else [share]
    if given.scale > 1:
        scaled = Decimal(given.scale) / target.scale
        return [scaled, one] if profile.scale in ("blind", "printed") else [scaled]
    readings = [one]
    if target.scale > 1:
        readings.append(one / target.scale)
    if bare and either and gold.asks_percent and target.scale == 1 and not target.currency:
        readings.append(one / _HUNDRED)
    return readings


def _other_currency(given: Amount, target: Amount) -> bool:
    """Return whether both name a currency and it is not the same; a bare $ or ¥ is any dollar, yuan or yen."""
    if given.currency is None or target.currency is None or given.currency == target.currency:
        return False
    if given.currency == "USD" and target.currency in _DOLLARS:
        return "US" in given.text.upper() or "美" in given.text
    return not ({given.currency, target.currency} == {"CNY", "JPY"} and ("¥" in given.text or "￥" in given.text))


def _signed(given: Amount, gold: Gold, profile: Profile) -> list[Decimal]:
    """Return the value with the signs that the words beside it allow."""
    value = given.value
    if profile.sign == "strict" or given.direction >= 0 or value <= 0:
        if profile.sign == "lenient" and value < 0 and gold.asks_decrease:
            return [value, -value]
        return [value]
    if profile.sign == "lenient" or gold.asks_decrease:
        return [-value, value]
    return [-value]


def _near(value: Decimal, given: Amount, factor: Decimal, target: Amount, gold: Gold, profile: Profile) -> str:
    """Return why the value, in the gold's unit, is near enough to the gold value, '' where it is not."""
    distance = abs(value - target.value)
    decimals = gold.decimals if profile.rounding_at is None else profile.rounding_at
    last = Decimal(1).scaleb(-decimals) if decimals is not None else Decimal(0)
    whole = target.value == target.value.to_integral_value()
    bare = target.unit is None and target.currency is None and target.scale == 1
    year = profile.years_exact and bare and whole and 1900 <= target.value < 2100 and gold.unit != "count"
    exact = year or (profile.integers_exact and bare and whole)
    if distance <= _SLACK * max(Decimal(1), abs(target.value)):
        return "equal"
    if exact:
        return ""
    if gold.tolerance is not None:
        return "within_tolerance" if distance <= Decimal(repr(gold.tolerance)) + _SLACK else ""
    allowed = max(Decimal(repr(profile.absolute)), Decimal(repr(profile.relative)) * abs(target.value))
    if profile.last_digit and _rounds(target, gold) and last <= abs(target.value) * _SMALL:
        allowed = max(allowed, last)
    if profile.rounding and _rounds(target, gold) and distance <= last * _HALF + _SLACK:
        return "rounded"
    if distance <= allowed + _SLACK * last:
        return "within_tolerance"
    if profile.coarser is not None and len(given.value.as_tuple().digits) >= profile.coarser:
        printed = Decimal(1).scaleb(-given.decimals) * factor
        if distance <= printed * _HALF:
            return "rounded"
    return ""


def _rounds(target: Amount, gold: Gold) -> bool:
    """Return whether the gold is a rounded quantity rather than a count or a single digit."""
    return gold.decimals is not None and gold.unit != "count" and (gold.decimals >= 1 or abs(target.value) >= 10)


def _what_is_wrong(value: Decimal, target: Amount) -> str:
    """Name the slip that leads from the gold value to the given one."""
    gold = target.value
    if not value or not gold:
        return "wrong_value"
    slack = Decimal("0.005")
    ratio = abs(value / gold)
    if abs(ratio - 1) < slack:
        return "wrong_sign" if (value < 0) != (gold < 0) else "wrong_value"
    for power in (3, -3, 6, -6, 9, -9, 4, -4, 8, -8):
        if abs(ratio.scaleb(-power) - 1) < slack:
            return "wrong_scale"
    if abs(ratio.scaleb(-2) - 1) < slack or abs(ratio.scaleb(2) - 1) < slack:
        return "wrong_percent"
    return "wrong_value"
