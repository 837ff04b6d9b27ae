"""Grammar of English sentences that state one measure for several periods or groups."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re

from finlmm_core.quantities import Number, Period, parse_period
from finlmm_generators.stated import (
    NUMBER_MARKS,
    PERIOD_MARKS,
    Marked,
    Reading,
    Unread,
    Value,
    completed,
    mark,
    same_units,
)
from finlmm_generators.stated_groups import read_groups
from finlmm_generators.stated_words import ARTICLE, measure_problem
from finlmm_generators.stated_words import END as _END
from finlmm_generators.stated_words import NUMBER as _N
from finlmm_generators.stated_words import NUMBERS as _NS
from finlmm_generators.stated_words import PERIOD as _P
from finlmm_generators.stated_words import PREPOSITION as _PREP

_PS = rf"{_P}(?:\s*,\s*(?:{_PREP}\s+)?{_P})*,?\s+and\s+(?:{_PREP}\s+)?{_P}"
_WAS = r"(?:was|were|is|are|totaled|totalled|amounted\s+to|came\s+to|stood\s+at|equaled|reached|of)"
_M = rf"(?P<m>[^{PERIOD_MARKS}{NUMBER_MARKS};:()]{{3,120}}?(?:\([^(){PERIOD_MARKS}{NUMBER_MARKS}]{{1,12}}\))?)"
_LINK = r"(?:,?\s+and|\s*,|,?\s+(?:as\s+)?compared\s+(?:to|with)|,?\s+versus|,?\s+vs\.?|,?\s+(?:up|down)\s+from|,?\s+from)\s+"
_MOVED = r"(?:increased|decreased|rose|fell|grew|declined|dropped|improved|expanded|contracted|climbed|advanced|slipped|(?:went|was|were)\s+(?:up|down))"
_HOW = r"(?:\s+(?:slightly|significantly|substantially|modestly|sharply|further))?"
_BY = rf"(?:\s+(?:by\s+)?{_N}(?:\s*,?\s+or\s+{_N}\s*,?)?)?"

_OUT = rf"(?:(?=\s*\))|{_END})"
_LATELY = (
    r"(?:(?:in|for|during)\s+)?(?:(?:the\s+)?(?:prior|previous|preceding|last)\s+(?:fiscal\s+)?year|a\s+year\s+(?:ago|earlier|before)|"
    r"the\s+(?:same|corresponding|comparable)\s+(?:period|quarter|half)\s+(?:of|in)?\s*(?:the\s+)?(?:prior|previous|preceding|last)\s+year)"
)
_AGAINST = r"\s*,?\s+(?:(?:as\s+)?compared\s+(?:to|with)|versus|from|(?:up|down)\s+from|against)\s+"
_CHANGED = rf"(?:\s*,?\s+(?:up|down|an?\s+(?:increase|decrease|rise|decline)\s+of)\s+{_N}(?:\s*,?\s+or\s+{_N}\s*,?)?)"
_EARLIER = rf"(?:{_AGAINST}|\s*\(\s*(?:(?:as\s+)?compared\s+(?:to|with)\s+|from\s+)?)(?:(?P<pairs>{_N}\s+{_PREP}\s+{_P}){_OUT}|(?P<en>{_N})\s+(?P<lately>{_LATELY}))"
_TO = rf"(?:{_WAS}|{_MOVED}{_HOW}{_BY}\s+to)"

_SHAPES: tuple[re.Pattern[str], ...] = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        # 'As of P and P, the allowance was N and N, respectively'
        rf"\A{_PREP}\s+(?P<ps>{_PS})\s*,\s+{_M}\s+{_WAS}\s+(?P<ns>{_NS})\s*,?\s+respectively",
        # 'The allowance was N and N at P and P, respectively'
        rf"\A{_M}\s+{_WAS}\s+(?P<ns>{_NS})\s*,?\s+{_PREP}\s+(?P<ps>{_PS})\s*,?\s+respectively",
        rf"\A{_M}\s+{_WAS}\s+(?P<ns>{_NS})\s*,?\s+respectively\s*,?\s+{_PREP}\s+(?P<ps>{_PS}){_END}",
        # 'Rental expense for the years ended P, P and P was N, N and N, respectively'
        rf"\A{_M}\s+{_PREP}\s+(?P<ps>{_PS})\s*,?\s+{_WAS}\s+(?P<ns>{_NS})\s*,?\s+respectively",
        # 'Sales totaled N in P, N in P and N in P', '... was N in P, compared to N in P'
        rf"\A{_M}\s+{_WAS}\s+(?P<pairs>{_N}\s+{_PREP}\s+{_P}(?:{_LINK}{_N}\s+{_PREP}\s+{_P})+){_END}",
        # 'In P, revenue was N and N in P'
        rf"\A{_PREP}\s+(?P<p1>{_P})\s*,\s+{_M}\s+{_WAS}\s+(?P<n1>{_N})\s+and\s+(?P<pairs>{_N}\s+{_PREP}\s+{_P}){_END}",
        # 'Sales fell from N in P to N in P'
        rf"\A{_M}\s+{_MOVED}{_HOW}{_BY}\s+from\s+(?P<pairs>{_N}\s+{_PREP}\s+{_P}\s*,?\s+to\s+{_N}\s+{_PREP}\s+{_P}){_END}",
        # 'Revenue for P rose N compared with P, from N to N'
        rf"\A{_M}\s+{_PREP}\s+(?P<p1>{_P})\s+{_MOVED}{_HOW}{_BY}\s+compared\s+(?:to|with)\s+(?P<p0>{_P})\s*,\s+from\s+(?P<n0>{_N})\s+to\s+(?P<n1>{_N}){_END}",
        # 'In P, revenue was N, up N from N in P', 'Revenue for P increased N to N, compared with N in the prior year'
        rf"\A{_PREP}\s+(?P<p1>{_P})\s*,\s+{_M}\s+{_TO}\s+(?P<n1>{_N}){_CHANGED}?{_EARLIER}",
        rf"\A{_M}\s+{_PREP}\s+(?P<p1>{_P})\s+{_TO}\s+(?P<n1>{_N}){_CHANGED}?{_EARLIER}",
        # 'Revenue increased N to N in P from N in P', 'Revenue was N as of P (N as of P)'
        rf"\A{_M}\s+{_TO}\s+(?P<n1>{_N})\s+{_PREP}\s+(?P<p1>{_P}){_CHANGED}?{_EARLIER}",
        # 'Revenue decreased N, or N, in P to N, from N in P'
        rf"\A{_M}\s+{_MOVED}{_HOW}{_BY},?\s+{_PREP}\s+(?P<p1>{_P})\s*,?\s+to\s+(?P<n1>{_N}){_EARLIER}",
        # 'Net sales increased N to N compared to N in P'
        rf"\A{_M}\s+(?:{_MOVED}{_HOW}{_BY}\s+to|was|were)\s+(?P<n1>{_N}){_AGAINST}(?P<en>{_N})\s+{_PREP}\s+(?P<before>{_P}){_END}",
        # 'Revenue increased N to N (P: N)', 'As at P, the value was N (P: N)'
        rf"\A(?:{_PREP}\s+(?P<p1>{_P})\s*,\s+)?{_M}\s+{_TO}\s+(?P<n1>{_N})\s*\(\s*(?P<before>[{PERIOD_MARKS}])\s*[:–-]\s*(?P<en>{_N})\s*\)",
    )
)
_MOVEMENT = re.compile(
    rf"\b(?P<word>increas\w*|decreas\w*|rose|fell|grew|climbed|advanced|slipped|declin\w*|dropp?\w*|improv\w*|expand\w*|contracted|up|down|growth|rise)\b(?P<by>(?:\s+(?:slightly|significantly|of|by|approximately|about)){{0,2}}\s+(?P<n>[{NUMBER_MARKS}])(?:\s*,?\s+or\s+(?P<or>[{NUMBER_MARKS}]))?)?",
    re.IGNORECASE,
)
_DOWN = re.compile(r"decreas|fell|declin|drop|contract|slipped|down", re.IGNORECASE)
_LEAD = re.compile(
    r"\A(?:(?:however|additionally|in\s+addition|also|further(?:more)?|moreover|overall|similarly|specifically|meanwhile|as\s+a\s+result|consequently|finally|accordingly|"
    r"(?:during|for|in)\s+the\s+(?:year|period|quarter)(?:\s+under\s+review)?)\s*,\s*)",
    re.IGNORECASE,
)
_OWN = re.compile(
    r"\A(?:we|the\s+company|the\s+group)\s+(?:had|have|held|reported|recorded|recognized|generated|incurred|achieved|delivered)\s+(?=.*)",
    re.IGNORECASE,
)


def read_english(sentence: str, year: int | None) -> Reading | Unread | None:
    """Return what a sentence states, Unread where it is not safe to ask about, None where it states no such thing.

    Args:
        sentence: one sentence, spaces made plain.
        year: what '(2021: £96.2million)' is compared with where the sentence names no period of its own.
    """
    sentence = _LEAD.sub("", sentence)
    marked = mark(sentence)
    if len(marked.numbers) < 2 or len(sentence) > 700:
        return None
    if (group := read_groups(marked)) is not None:
        return group
    if not marked.periods:
        return None
    for shape in _SHAPES:
        if found := shape.match(marked.text):
            return _periods(marked, found, sentence, year)
    if "respectively" in sentence or re.search(r"compared\s+(?:to|with)|\bfrom\b", sentence):
        return Unread("statement_not_read", sentence[:160])
    return None


def _periods(marked: Marked, found: re.Match[str], sentence: str, year: int | None) -> Reading | Unread:
    parts = found.groupdict()
    measure = _OWN.sub("", parts["m"].strip(" ,").rsplit("— ", 1)[-1])
    measure = re.sub(r",\s+(?:which|defined\s+as)\s.*\Z", "", measure)
    measure = ARTICLE.sub("", re.sub(r"(?<=[a-z])\d(?=\W|\Z)", "", measure)).strip(" ,")
    measure = re.sub(r"\A(?:company|group|corporation)['’]s\s+", "", measure, flags=re.IGNORECASE)
    measure = re.sub(r"\bour\s+", "", measure)
    if problem := measure_problem(measure):
        return Unread(problem, sentence[:160])
    numbers = re.findall(f"[{NUMBER_MARKS}]", "".join(parts.get(name) or "" for name in ("ns", "n1", "n0", "pairs")))
    periods = re.findall(f"[{PERIOD_MARKS}]", "".join(parts.get(name) or "" for name in ("ps", "p1", "p0", "pairs")))
    named = [marked.period(character) for character in periods]
    stated = [marked.number(character) for character in numbers]
    before = re.sub(f"[^{PERIOD_MARKS}]", "", parts.get("before") or "")
    if before:
        earlier = marked.period(before)
        if not named:
            later = _shifted(earlier, 1) if year == earlier.year + 1 else None
            if later is None:
                return Unread("period_not_told", sentence[:160])
            named = [later]
        named.append(earlier)
        stated.append(marked.number(re.sub(f"[^{NUMBER_MARKS}]", "", parts["en"])))
    elif parts.get("lately"):
        prior = _shifted(named[0], -1)
        if prior is None:
            return Unread("period_not_told", sentence[:160])
        named.append(prior)
        stated.append(marked.number(re.sub(f"[^{NUMBER_MARKS}]", "", parts["en"])))
    if len(named) != len(stated) or len(named) < 2:
        return Unread("values_and_periods_differ", sentence[:160])
    full = completed(named)
    if full is None or len({period.key for period in full}) < len(full) or any(period.estimate for period in full):
        return Unread("periods_not_alike", sentence[:160])
    if not same_units(stated):
        return Unread("units_differ", sentence[:160])
    if re.search(r"\b(?:three|six|nine)\s+and\s+(?:three|six|nine)\b", sentence, re.IGNORECASE):
        return Unread("periods_not_alike", sentence[:160])
    per_share = bool(re.search(r"per\s+(?:\w+\s+)?share", found.group(), re.IGNORECASE))
    if per_share and "share" not in measure.lower():
        measure += " per share"
    values = sorted(
        (Value(number, said(period), period) for number, period in zip(stated, full, strict=True)),
        key=lambda value: (value.period.year, value.key) if value.period else (0, ""),
    )
    movements, direction = _movements(marked, set(numbers) | set(parts.get("en") or ""))
    return Reading(measure[:1].upper() + measure[1:], "period", tuple(values), movements, direction)


def _shifted(period: Period, years: int) -> Period | None:
    """Return the same period so many years on ('fourth quarter of fiscal 2022'); None of dates, which may move."""
    if period.kind == "day" or str(period.year) not in period.text:
        return None
    text = period.text.replace(str(period.year), str(period.year + years))
    other = parse_period(text)
    return other._replace(text=text) if other and other.kind == period.kind else None


def said(period: Period) -> str:
    """Return a period as an English question says it."""
    text = re.sub(r"\s+", " ", period.text).strip(" ()").replace(" ,", ",")
    text = re.sub(r"\A((?:fiscal )?)years (?=ended)", r"\1year ", text, flags=re.IGNORECASE)
    if re.match(
        r"(?:(?:three|six|nine|twelve|\d+|thirteen|[a-z-]+)\s+(?:months?|weeks?)|(?:fiscal\s+)?years?|quarter)\s+ended",
        text,
        re.IGNORECASE,
    ):
        return "the " + text[:1].lower() + text[1:]
    if re.match(r"(?:first|second|third|fourth)\s+(?:quarter|half)", text, re.IGNORECASE):
        return "the " + text[:1].lower() + text[1:]
    return text


def _movements(marked: Marked, used: set[str]) -> tuple[tuple[Number, ...], int]:
    """Return the rates and changes stated beside the values, and the direction where all words agree on one."""
    numbers, directions = [], set()
    for found in _MOVEMENT.finditer(marked.text):
        after = marked.text[found.end() : found.end() + 2]
        stated = [c for c in (found.group("n"), found.group("or")) if c and c not in used]
        verb = re.match(
            r"(?:increased|decreased|rose|fell|grew|declined|dropped|improved|expanded|contracted|climbed|advanced|slipped|up|down)\Z",
            found.group("word"),
            re.IGNORECASE,
        )
        if stated or (verb and after):
            directions.add(-1 if _DOWN.match(found.group("word")) else 1)
        numbers += [marked.number(character) for character in stated]
    return tuple(numbers), directions.pop() if len(directions) == 1 else 0
