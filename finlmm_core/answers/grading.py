"""The one grader: is a given answer the right one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from finlmm_core.answers.amounts import Amount, is_negated, numbers_in, plain_numbers
from finlmm_core.answers.choices import named_options
from finlmm_core.answers.extract import Extracted, extract_answer
from finlmm_core.answers.golds import Gold, gold_of
from finlmm_core.answers.numeric import compare_numbers
from finlmm_core.answers.parsing import (
    LONGEST,
    Parsed,
    is_refusal,
    is_symbolic,
    parse_answer,
    read_yes_no,
)
from finlmm_core.answers.profiles import Profile, get_profile
from finlmm_core.answers.symbolic import symbolic_equal, symbolic_value, too_much
from finlmm_core.answers.texts import anls, normal_text, without_markup

if TYPE_CHECKING:
    from finlmm_core.domain import Sample

_MORE_WORDS = 12


class Grade(NamedTuple):
    """What a given answer earned.

    ``value`` is 1.0 (right), 0.0 (wrong) or None (cannot judge). ``reason`` is a short stable name of why.
    """

    value: float | None
    reason: str
    given: Parsed
    gold: Gold


#: Reasons of a wrong grade that say that another answer was named, rather than none.
NAMES_ANOTHER = frozenset(
    {"wrong_option", "wrong_value", "wrong_sign", "wrong_scale", "wrong_percent", "wrong_unit", "wrong_period",
     "wrong_yes_no", "several_options", "two_answers", "contradiction"}
)  # fmt: skip


def grade_answer(given: str | None, gold: Gold, profile: str | Profile = "finlmm") -> Grade:
    """Grade an answer that stands alone, as ``extract_answer`` gives it.

    Args:
        given: the answer; None or blank is wrong ('no_answer').
        gold: the right answer.
        profile: rules of comparing, or their name.

    Raises:
        FinlmmError: an unknown profile.
        MissingExtraError: a symbolic answer without math-verify.
    """
    rules = get_profile(profile)
    if gold.kind == "unknown":
        return Grade(None, "unparsable_gold", Parsed("none"), gold)
    if given is None or not given.strip():
        return Grade(0.0, "no_answer", Parsed("none"), gold)
    if len(given) > LONGEST:
        return Grade(0.0, "too_long", Parsed("text", given[:LONGEST]), gold)
    return _GRADERS[gold.kind](given, gold, rules)


def grade_completion(completion: str, gold: Gold, profile: str | Profile = "finlmm") -> Grade:
    """Extract the final answer of a completion and grade it."""
    rules = get_profile(profile)
    extracted = extract_answer(
        completion, tagged_only=rules.tagged_only, prose=rules.prose, several=gold.kind == "list"
    )
    if extracted.text is None and gold.kind != "unknown":
        return Grade(
            0.0, "no_answer" if extracted.how in ("empty", "empty_tag") else extracted.how, Parsed("none"), gold
        )
    grade = grade_answer(extracted.text, gold, rules)
    if rules.single and extracted.others and grade.value == 1.0:
        return _without_rivals(grade, extracted, gold, rules)
    return grade


def _without_rivals(grade: Grade, extracted: Extracted, gold: Gold, rules: Profile) -> Grade:
    """Return the grade, or 'two_answers' where an earlier answer of the same completion was another one."""
    for other in extracted.others:
        earlier = grade_answer(other, gold, rules)
        if earlier.value == 0.0 and earlier.reason in NAMES_ANOTHER:
            return Grade(0.0, "two_answers", grade.given, gold)
    return grade


def grade_sample(sample: Sample, completion: str, profile: str | Profile = "finlmm") -> Grade:
    """Grade a completion for a sample."""
    return grade_completion(completion, gold_of(sample), profile)


def gold_problem(sample: Sample, profile: str | Profile = "finlmm") -> str | None:
    """Return why a sample's own gold answer does not earn full marks, None where it does.

    Its letter, its text, and both together are tried, and every other option must earn nothing.
    """
    gold = gold_of(sample)
    if gold.options and not 0 <= sample.answer.option < len(gold.options):
        return f"the answer is option {sample.answer.option} of {len(gold.options)}"
    ways = [gold.text]
    if gold.letter is not None:
        ways += [gold.letter, f"{gold.letter}. {gold.options[gold.option or 0]}"]
    for way in ways:
        grade = grade_answer(way, gold, profile)
        if grade.value != 1.0:
            return f"the gold answer {way!r} is graded {grade.value} ({grade.reason})"
    right = gold.option_amounts[gold.option] if gold.option is not None else None
    for place, option in enumerate(gold.options):
        if place in gold.also:
            continue
        other = gold.option_amounts[place]
        if right is not None and other is not None and right.same == other.same and _unit(right) == _unit(other):
            return f"the wrong option {option!r} says the same as the gold answer {gold.text!r}"
        for way in (option, chr(65 + place)):
            grade = grade_answer(way, gold, profile)
            if grade.value != 0.0:
                return f"the wrong option {way!r} is graded {grade.value} ({grade.reason})"
    return None


def _unit(amount: Amount) -> str | None:
    return amount.unit or amount.currency


# ------------------------------------------------------------------------------------------------ one a kind of gold


def _grade_choice(given: str, gold: Gold, rules: Profile) -> Grade:
    named = named_options(given, gold, rules)
    letters = "".join(chr(65 + place) for place in named.places)
    parsed = Parsed("letters" if letters else "text", given.strip(), letters=letters)
    if set(named.places) == set(gold.also):
        return Grade(1.0, named.how, parsed, gold)
    if len(named.places) > 1 and len(gold.also) == 1:
        return Grade(0.0, "several_options", parsed, gold)
    if named.places:
        return Grade(0.0, "wrong_option", parsed, gold)
    if named.how in ("no_option", "unclear") and is_refusal(given):
        return Grade(0.0, "refusal", parsed._replace(kind="refusal"), gold)
    return Grade(0.0, named.how, parsed, gold)


def _grade_number(given: str, gold: Gold, rules: Profile) -> Grade:
    parsed = parse_answer(given, expect="number")
    if parsed.amount is None or is_symbolic(parsed.text):
        value = symbolic_value(parsed.text) if is_symbolic(parsed.text) else None
        if value is not None:
            amount = Amount(value, parsed.text, 0, len(parsed.text), 9)
            parsed = parsed._replace(kind="symbolic", amount=amount)
            right, reason = compare_numbers(amount, gold, rules)
            return Grade(1.0 if right else 0.0, reason, parsed, gold)
    if parsed.amount is None:
        if parsed.kind == "refusal":
            return Grade(0.0, "refusal", parsed, gold)
        return Grade(0.0, "no_number", parsed, gold)
    if (rules.single and parsed.kind == "numbers") or "±" in parsed.text or "\\pm" in parsed.text:
        return Grade(0.0, "two_answers", parsed, gold)
    if is_negated(parsed.text, parsed.amount.start, parsed.amount.end):
        return Grade(0.0, "negated", parsed, gold)
    right, reason = compare_numbers(parsed.amount, gold, rules)
    if not right and is_refusal(parsed.text):
        return Grade(0.0, "refusal", parsed._replace(kind="refusal"), gold)
    return Grade(1.0 if right else 0.0, reason, parsed, gold)


def _grade_range(given: str, gold: Gold, rules: Profile) -> Grade:
    parsed = parse_answer(given, expect="range")
    asked = numbers_in(plain_numbers(without_markup(gold.text)))
    if len(parsed.amounts) != len(asked):
        return Grade(0.0, "no_range", parsed, gold)
    for end, wanted in zip(_share_unit(parsed.amounts), _share_unit(asked), strict=True):
        unit = wanted.unit or wanted.currency
        one = Gold(wanted.text, "number", wanted.value, unit, wanted.scale, wanted.decimals)
        right, reason = compare_numbers(end, one, rules)
        if not right:
            return Grade(0.0, reason, parsed, gold)
    return Grade(1.0, "equal", parsed, gold)


def _share_unit(ends: tuple[Amount, ...]) -> list[Amount]:
    """Give the ends of a range the unit and scale that only the last one prints ('$1.0 to 1.2 billion', '10-12%')."""
    last = ends[-1]
    return [end._replace(unit=end.unit or last.unit, scale=max(end.scale, last.scale), direction=0) for end in ends]


def _grade_period(given: str, gold: Gold, rules: Profile) -> Grade:
    parsed = parse_answer(given, expect="period")
    if is_negated(parsed.text, len(parsed.text), len(parsed.text)):
        return Grade(0.0, "negated", parsed, gold)
    if parsed.period is not None and parsed.period == gold.period:
        return Grade(1.0, "equal", parsed, gold)
    if normal_text(without_markup(given)) == normal_text(gold.text):
        return Grade(1.0, "equal", parsed, gold)
    if parsed.period is None:
        return Grade(0.0, "refusal" if is_refusal(parsed.text) else "no_period", parsed, gold)
    return Grade(0.0, "wrong_period", parsed, gold)


def _grade_yes_no(given: str, gold: Gold, rules: Profile) -> Grade:
    parsed = parse_answer(given, expect="yes_no")
    if parsed.yes is None:
        return Grade(0.0, "refusal" if is_refusal(parsed.text) else "no_yes_no", parsed, gold)
    right = parsed.yes == read_yes_no(gold.text)
    return Grade(1.0 if right else 0.0, "equal" if right else "wrong_yes_no", parsed, gold)


def _grade_list(given: str, gold: Gold, rules: Profile) -> Grade:
    parsed = parse_answer(given, expect="list")
    wanted = [_item(item, gold.scale, gold.unit) for item in gold.items]
    if len(parsed.items) == len(wanted):
        if rules.list_order:
            right = all(
                grade_answer(item, want, rules).value == 1.0 for item, want in zip(parsed.items, wanted, strict=True)
            )
        else:
            right = _each_has_its_own(list(parsed.items), wanted, rules)
        if right:
            return Grade(1.0, "equal", parsed, gold)
    if not rules.list_order and _only_the_items(parsed.text, gold):
        return Grade(1.0, "equal", parsed, gold)
    if is_refusal(parsed.text):
        return Grade(0.0, "refusal", parsed._replace(kind="refusal"), gold)
    return Grade(0.0, "wrong_list", parsed, gold)


@lru_cache(maxsize=4096)
def _item(text: str, scale: int, unit: str | None) -> Gold:
    return Gold.of(text, scale=scale, unit=unit)


def _each_has_its_own(items: list[str], wanted: list[Gold], rules: Profile) -> bool:
    """Return whether every wanted item can be given one of the items, each used once."""
    if len(items) > 60:
        return False
    left = list(items)
    for want in wanted:
        fitting = next((item for item in left if grade_answer(item, want, rules).value == 1.0), None)
        if fitting is None:
            return False
        left.remove(fitting)
    return True


def _only_the_items(text: str, gold: Gold) -> bool:
    """Return whether a text is the gold's items with nothing but joining words between them."""
    words = f" {normal_text(text)} "
    for item in sorted((normal_text(item) for item in gold.items), key=len, reverse=True):
        at = words.find(f" {item} ")
        if at < 0:
            return False
        words = f"{words[:at]} {words[at + len(item) + 2 :]}"
    return all(word in ("and", ",", "和", "&", "respectively") for word in words.split())


def _grade_text(given: str, gold: Gold, rules: Profile) -> Grade:
    clean = without_markup(given)
    parsed = Parsed("text", clean)
    words, wanted = normal_text(clean), normal_text(gold.text)
    if words and words == wanted:
        return Grade(1.0, "equal", parsed, gold)
    if is_refusal(clean) and not is_refusal(gold.text):
        return Grade(0.0, "refusal", parsed._replace(kind="refusal"), gold)
    if rules.text == "judge":
        return Grade(None, "needs_judge", parsed, gold)
    if rules.text == "anls":
        score = anls(clean, gold.text) if words else 0.0
        return Grade(
            1.0 if score >= rules.anls_threshold else 0.0,
            "similar" if score >= rules.anls_threshold else "wrong_text",
            parsed,
            gold,
        )
    if (
        rules.text == "contains"
        and wanted
        and f" {wanted} " in f" {words} "
        and len(words.split()) - len(wanted.split()) <= _MORE_WORDS
    ):
        return Grade(1.0, "contains", parsed, gold)
    return Grade(0.0, "wrong_text", parsed, gold)


def _grade_symbolic(given: str, gold: Gold, rules: Profile) -> Grade:
    parsed = parse_answer(given, expect="symbolic")
    if parsed.text == without_markup(gold.text):
        return Grade(1.0, "equal", parsed, gold)
    return _symbolic(parsed, without_markup(gold.text), gold)


def _symbolic(parsed: Parsed, target: str, gold: Gold) -> Grade:
    if too_much(target):
        return Grade(None, "unparsable_gold", parsed, gold)
    equal = symbolic_equal(parsed.text, target)
    if equal is None:
        return Grade(0.0, "unreadable", parsed._replace(kind="symbolic"), gold)
    return Grade(1.0 if equal else 0.0, "equal" if equal else "wrong_value", parsed._replace(kind="symbolic"), gold)


def _grade_unanswerable(given: str, gold: Gold, rules: Profile) -> Grade:
    parsed = parse_answer(given)
    right = parsed.kind == "refusal" or normal_text(parsed.text) == normal_text(gold.text)
    return Grade(1.0 if right else 0.0, "equal" if right else "wrong_text", parsed, gold)


_GRADERS: dict[str, Callable[[str, Gold, Profile], Grade]] = {
    "letters": _grade_choice,
    "number": _grade_number,
    "range": _grade_range,
    "period": _grade_period,
    "yes_no": _grade_yes_no,
    "list": _grade_list,
    "text": _grade_text,
    "symbolic": _grade_symbolic,
    "unanswerable": _grade_unanswerable,
}
