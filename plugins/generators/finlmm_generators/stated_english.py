"""Grammar of English sentences that state one measure for several periods or groups."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re

from finlmm_core.quantities import Number, Period, parse_period
from finlmm_generators.labels import is_generic
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

_ABOUT = r"(?:(?:approximately|about|roughly|around|just|only|a\s+record|fully|c\.)\s*)?"
_N = rf"{_ABOUT}[{NUMBER_MARKS}](?:\s+per\s+(?:diluted\s+|basic\s+|common\s+|ordinary\s+)*share)?"
_P = rf"(?:the\s+)?(?:(?:fiscal|calendar|full)\s+)?(?:years?\s+)?(?:end\s+of\s+)?[{PERIOD_MARKS}]"
_PREP = r"(?:as\s+of|as\s+at|at|in|for|during|on)"
_NS = rf"{_N}(?:\s*,\s*{_N})*,?\s+and\s+{_N}"
_PS = rf"{_P}(?:\s*,\s*(?:{_PREP}\s+)?{_P})*,?\s+and\s+(?:{_PREP}\s+)?{_P}"
_WAS = r"(?:was|were|is|are|totaled|totalled|amounted\s+to|came\s+to|stood\s+at|equaled|reached|of)"
_M = rf"(?P<m>[^{PERIOD_MARKS}{NUMBER_MARKS};:()]{{3,120}}?(?:\([^(){PERIOD_MARKS}{NUMBER_MARKS}]{{1,12}}\))?)"
_LINK = r"(?:,?\s+and|\s*,|,?\s+(?:as\s+)?compared\s+(?:to|with)|,?\s+versus|,?\s+vs\.?|,?\s+(?:up|down)\s+from|,?\s+from)\s+"
_MOVED = r"(?:increased|decreased|rose|fell|grew|declined|dropped|improved|expanded|contracted|went\s+(?:up|down))"
_HOW = r"(?:\s+(?:slightly|significantly|substantially|modestly|sharply|further))?"
_BY = rf"(?:\s+(?:by\s+)?{_N}(?:\s*,?\s+or\s+{_N}\s*,?)?)?"
_END = r"(?=\s*[.;,(]|\s+(?:respectively|due|driven|primarily|mainly|reflecting|as\s+a\s+result|because|which|and|with|net|or|an?\s+(?:increase|decrease))\b|\s*\Z)"

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
        # 'In P, sales were N, compared to N in P'
        rf"\A{_PREP}\s+(?P<p1>{_P})\s*,\s+{_M}\s+{_WAS}\s+(?P<n1>{_N}){_LINK}(?P<pairs>{_N}\s+{_PREP}\s+{_P}){_END}",
        # 'Sales increased N to N in P from N in P', 'Sales fell from N in P to N in P'
        rf"\A{_M}\s+{_MOVED}{_HOW}{_BY}\s+to\s+(?P<pairs>{_N}\s+{_PREP}\s+{_P}\s*,?\s+(?:from|compared\s+(?:to|with))\s+{_N}\s+{_PREP}\s+{_P}){_END}",
        rf"\A{_M}\s+{_MOVED}{_HOW}{_BY}\s+from\s+(?P<pairs>{_N}\s+{_PREP}\s+{_P}\s*,?\s+to\s+{_N}\s+{_PREP}\s+{_P}){_END}",
        rf"\A{_PREP}\s+(?P<p1>{_P})\s*,\s+{_M}\s+{_MOVED}{_HOW}{_BY}\s+to\s+(?P<n1>{_N})\s*,?\s+(?:from|compared\s+(?:to|with))\s+(?P<pairs>{_N}\s+{_PREP}\s+{_P}){_END}",
        rf"\A{_M}\s+{_MOVED}{_HOW}{_BY},?\s+{_PREP}\s+(?P<p1>{_P})\s*,?\s+to\s+(?P<n1>{_N})\s*,?\s+(?:from|compared\s+(?:to|with))\s+(?P<pairs>{_N}\s+{_PREP}\s+{_P}){_END}",
        # 'Net sales increased N to N compared to N in P'
        rf"\A{_M}\s+(?:{_MOVED}{_HOW}{_BY}\s+to|was|were)\s+(?P<n1>{_N})\s*,?\s+(?:compared\s+(?:to|with)|from|(?:up|down)\s+from)\s+(?P<en>{_N})\s+{_PREP}\s+(?P<before>{_P}){_END}",
        # 'Revenue increased N to N (P: N)', 'As at P, the value was N (P: N)', '... was N as of P (N as of P)'
        rf"\A(?:{_PREP}\s+(?P<p1>{_P})\s*,\s+)?{_M}\s+(?:{_WAS}|{_MOVED}{_HOW}{_BY}\s+to)\s+(?P<n1>{_N})\s*\(\s*(?P<ep>[{PERIOD_MARKS}])\s*[:–-]\s*(?P<en>{_N})\s*\)",
        rf"\A{_M}\s+(?:{_WAS}|{_MOVED}{_HOW}{_BY}\s+to)\s+(?P<n1>{_N})\s+{_PREP}\s+(?P<p1>{_P})\s*\((?P<pairs>{_N}\s+{_PREP}\s+{_P})\)",
    )
)
_MOVEMENT = re.compile(
    rf"\b(?P<word>increas\w*|decreas\w*|rose|fell|grew|declin\w*|dropp?\w*|improv\w*|expand\w*|contracted|up|down|growth|rise)\b(?P<by>(?:\s+(?:slightly|significantly|of|by|approximately|about)){{0,2}}\s+(?P<n>[{NUMBER_MARKS}])(?:\s*,?\s+or\s+(?P<or>[{NUMBER_MARKS}]))?)?",
    re.IGNORECASE,
)
_DOWN = re.compile(r"decreas|fell|declin|drop|contract|down", re.IGNORECASE)
_UNCLEAR = re.compile(
    r"\b(?:this|that|these|those|such|it|they|them|he|she|his|her|which|who|whom|above|below|following|former|latter|same|"
    r"we|us|you|there|table|chart|figure|note|was|were|is|are|has|had|have|been|increased|decreased|rose|fell|grew|declined|because|due|"
    r"if|when|while|although|would|could|may|might|will|expects?|included?|includes|employed|resulted|resulting|offset|driven|related\s+to\s+the|range[ds]?|between|less|than|respectively)\b|[;:“”\"]",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"\A(?:(?:however|additionally|in\s+addition|also|further(?:more)?|moreover|overall|similarly|specifically|meanwhile|as\s+a\s+result|consequently|finally|accordingly|"
    r"(?:during|for|in)\s+the\s+(?:year|period|quarter)(?:\s+under\s+review)?)\s*,\s*)",
    re.IGNORECASE,
)
_OWN = re.compile(
    r"\A(?:we|the\s+company|the\s+group)\s+(?:had|have|held|reported|recorded|recognized|generated|incurred|achieved|delivered)\s+(?=.*)",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"\A(?:the|our|an?|its|total\s+amount\s+of\s+the)\s+", re.IGNORECASE)


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
    if (group := _groups(marked)) is not None:
        return group
    if not marked.periods:
        return None
    for shape in _SHAPES:
        if found := shape.match(marked.text):
            return _periods(marked, found, sentence, year)
    if "respectively" in sentence or re.search(r"compared\s+(?:to|with)|\bfrom\b", sentence):
        return Unread("statement_not_read", sentence[:160])
    return None


def measure_problem(measure: str) -> str | None:
    """Return why words do not name a measure, None where they do."""
    words = measure.split()
    if not 1 <= len(words) <= 14 or sum(character.isalpha() for character in measure) < 3 or is_generic(measure):
        return "measure_too_long" if len(words) > 14 else "measure_too_short"
    if _UNCLEAR.search(measure) or re.match(
        r"(?:and|or|but|of|for|in|on|at|as|to|by|with|from|excluding|including|during)\b", measure, re.IGNORECASE
    ):
        return "measure_unclear"
    if re.search(r"\b(?:of|the|and|a|an|to|in|for|with|from)\Z", measure, re.IGNORECASE) or measure.count(
        "("
    ) != measure.count(")"):
        return "measure_unclear"
    return None


def _periods(marked: Marked, found: re.Match[str], sentence: str, year: int | None) -> Reading | Unread:
    parts = found.groupdict()
    measure = _OWN.sub("", parts["m"].strip(" ,").rsplit("— ", 1)[-1])
    measure = re.sub(r",\s+(?:which|defined\s+as)\s.*\Z", "", measure)
    measure = _ARTICLE.sub("", re.sub(r"(?<=[a-z])\d(?=\W|\Z)", "", measure)).strip(" ,")
    measure = re.sub(r"\A(?:company|group|corporation)['’]s\s+", "", measure, flags=re.IGNORECASE)
    measure = re.sub(r"\bour\s+", "", measure)
    if problem := measure_problem(measure):
        return Unread(problem, sentence[:160])
    numbers = re.findall(
        f"[{NUMBER_MARKS}]", (parts.get("ns") or "") + (parts.get("n1") or "") + (parts.get("pairs") or "")
    )
    periods = re.findall(
        f"[{PERIOD_MARKS}]", (parts.get("ps") or "") + (parts.get("p1") or "") + (parts.get("pairs") or "")
    )
    named = [marked.period(character) for character in periods]
    stated = [marked.number(character) for character in numbers]
    before = re.sub(f"[^{PERIOD_MARKS}]", "", parts.get("ep") or parts.get("before") or "")
    if before:
        earlier = marked.period(before)
        if not named:
            later = _after(earlier, year)
            if later is None:
                return Unread("period_not_told", sentence[:160])
            named = [later]
        named.append(earlier)
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


def _after(earlier: Period, year: int | None) -> Period | None:
    """Return the same period one year on ('fourth quarter of fiscal 2022'), where the report is about that year."""
    if earlier.kind == "day" or year != earlier.year + 1 or str(earlier.year) not in earlier.text:
        return None
    text = earlier.text.replace(str(earlier.year), str(year))
    later = parse_period(text)
    return later._replace(text=text) if later and later.kind == earlier.kind else None


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
            r"(?:increased|decreased|rose|fell|grew|declined|dropped|improved|expanded|contracted|up|down)\Z",
            found.group("word"),
            re.IGNORECASE,
        )
        if stated or (verb and after):
            directions.add(-1 if _DOWN.match(found.group("word")) else 1)
        numbers += [marked.number(character) for character in stated]
    return tuple(numbers), directions.pop() if len(directions) == 1 else 0


# ------------------------------------------------------------------------------------------------ groups of people

_SAYS = r"(?P<vp>(?:now\s+|also\s+|currently\s+)?(?:say|says|said|think|thinks|thought|view|viewed|rate|rated|believe|expect|trust|favor|oppose|approve|disapprove|support|report|express|have|own|use|are|were)\b[^{}]{{4,140}}?)"
_VP = _SAYS.format(NUMBER_MARKS, PERIOD_MARKS)
_G = r"(?P<{}>[A-Za-z][A-Za-z $,'’-]{{2,60}}?)"
_GROUP_SHAPES: tuple[re.Pattern[str], ...] = tuple(
    re.compile(shape)
    for shape in (
        # '71% of Republicans say there are plenty of jobs available, compared with 53% of Democrats'
        rf"(?:\A|[:;,]\s+){_ABOUT}(?P<n1>[{NUMBER_MARKS}])\s+of\s+{_G.format('g1')}\s+{_VP},?\s+(?:compared\s+(?:with|to)|versus|while)\s+{_ABOUT}(?P<n2>[{NUMBER_MARKS}])\s+of\s+{_G.format('g2')}(?:\s+(?:say|said|do)\s+(?:this|so|the\s+same))?\s*[.;]",
        # 'majorities of Republicans (71%) and Democrats (53%) say ...'
        rf"(?:\A|[,;]\s+)(?:(?:(?:larger?|similar)\s+)?(?:majorities|shares|percentages)\s+of\s+|[Mm]ost\s+)?{_G.format('g1')}\s+\((?P<n1>[{NUMBER_MARKS}])\)\s+and\s+{_G.format('g2')}\s+\((?P<n2>[{NUMBER_MARKS}])\)\s+{_VP}\s*[.;,]",
        # 'Republicans are more likely than Democrats (62% vs. 44%) to rate ...'
        rf"\A{_G.format('g1')}\s+(?:are|were|remain|continue\s+to\s+be|also\s+remain)\s+(?:\w+\s+)?(?:more|less)\s+likely\s+than\s+{_G.format('g2')}\s+\((?P<n1>[{NUMBER_MARKS}])\s+(?:vs\.?|to|compared\s+with)\s+(?P<n2>[{NUMBER_MARKS}])\)\s+to\s+(?P<vp>[^{NUMBER_MARKS}{PERIOD_MARKS}]{{4,140}}?)\s*[.;]",
        rf"\A{_G.format('g1')}\s+(?:are|were|remain|continue\s+to\s+be|also\s+remain)\s+(?:\w+\s+)?(?:more|less)\s+likely\s+than\s+{_G.format('g2')}\s+to\s+(?P<vp>[^{NUMBER_MARKS}{PERIOD_MARKS}]{{4,140}}?)\s+\((?P<n1>[{NUMBER_MARKS}])\s+(?:vs\.?|to|compared\s+with)\s+(?P<n2>[{NUMBER_MARKS}])\)",
    )
)
# 'Product, service and subscription sales accounted for N, N and N of revenues, respectively'
_SHARES = re.compile(
    rf"\A(?P<gs>[A-Z][^{PERIOD_MARKS}{NUMBER_MARKS};:()]{{3,160}}?)\s+(?:accounted\s+for|represented|made\s+up|contributed|comprised|constituted)\s+(?P<ns>{_NS})\s+of\s+(?P<m>[^{PERIOD_MARKS}{NUMBER_MARKS};:()]{{3,80}}?)\s*,\s+respectively(?:,?\s+(?:{_PREP})\s+{_P})?{_END}",
    re.IGNORECASE,
)
# '48% say there are plenty of good jobs available, compared with 45% who say that good jobs are difficult to find'
_ANSWERS = re.compile(
    rf"(?:\A|[:;]\s+|\bwhile\s+)(?:[A-Z][a-z]+,\s+)?(?:Among\s+(?P<who>[A-Z][A-Za-z ]{{2,60}}?),\s+)?(?:(?:[A-Za-z-]+\s+){{1,5}}\((?P<n0>[{NUMBER_MARKS}])\)|{_ABOUT}(?P<n1>[{NUMBER_MARKS}]))\s+(?P<g1>(?:say|think|believe|expect|approve|rate)\b[^{NUMBER_MARKS}{PERIOD_MARKS};]{{6,140}}?),?\s+(?:compared\s+with|compared\s+to|while)\s+{_ABOUT}(?P<n2>[{NUMBER_MARKS}])\s+(?:who\s+)?(?P<g2>(?:say|think|believe|expect|disapprove|rate)\b[^{NUMBER_MARKS}{PERIOD_MARKS};]{{6,140}}?)(?:\s+\([^)]*\))?\s*[.;]",
)
# 'In October 2017, 58% of Republicans and 47% of Democrats viewed jobs as widely available', 'Republicans (89%) are ..., compared with 19% of Democrats'
_GROUP_SHAPES += (
    re.compile(
        rf"\A{_ABOUT}(?P<n1>[{NUMBER_MARKS}])\s+of\s+{_G.format('g1')}\s+and\s+{_ABOUT}(?P<n2>[{NUMBER_MARKS}])\s+of\s+{_G.format('g2')}\s+{_VP}\s*[.;]"
    ),
    re.compile(
        rf"\A(?:[A-Za-z-]+\s+(?:all\s+)?)?{_G.format('g1')}\s+\((?P<n1>[{NUMBER_MARKS}])\)\s+{_VP},?\s+(?:compared\s+(?:with|to)|versus|while)\s+{_ABOUT}(?P<n2>[{NUMBER_MARKS}])\s+of\s+{_G.format('g2')}(?:\s+(?:say|said|do)\s+(?:this|so|the\s+same))?\s*[.;]"
    ),
)
_ANAPHORA = re.compile(r"\b(?:this|these|those|it|he|him|his|she|her|so|same|latter|former)\b", re.IGNORECASE)


def _groups(marked: Marked) -> Reading | Unread | None:
    if found := _SHARES.search(marked.text):
        return _shares(marked, found)
    if found := _ANSWERS.search(marked.text):
        return _answers(marked, found)
    for shape in _GROUP_SHAPES:
        found = shape.search(marked.text)
        if found is None:
            continue
        numbers = [marked.number(found.group("n1")), marked.number(found.group("n2"))]
        if any(number.unit != "percent" for number in numbers):
            return Unread("units_differ", found.group()[:160])
        names = [_group(found.group("g1")), _group(found.group("g2"))]
        said_of = re.sub(r"\A(?:now|also|currently)\s+", "", re.sub(r"\s+", " ", found.group("vp")).strip(" ,"))
        if _ANAPHORA.search(said_of) or not all(names) or names[0].casefold() == names[1].casefold():
            return Unread("measure_unclear", found.group()[:160])
        values = tuple(Value(number, name) for number, name in zip(numbers, names, strict=True))
        return Reading(said_of, "group", values)
    return None


def _shares(marked: Marked, found: re.Match[str]) -> Reading | Unread:
    names = [name for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", found.group("gs")) if (name := _group(part))]
    numbers = [marked.number(character) for character in re.findall(f"[{NUMBER_MARKS}]", found.group("ns"))]
    whole = _ARTICLE.sub("", found.group("m").strip(" ,"))
    if len(names) != len(numbers) or len({name.casefold() for name in names}) < len(names):
        return Unread("values_and_groups_differ", found.group()[:160])
    if any(number.unit != "percent" for number in numbers):
        return Unread("units_differ", found.group()[:160])
    if problem := measure_problem(whole):
        return Unread(problem, found.group()[:160])
    return Reading(f"share of {whole}", "share", tuple(Value(n, name) for n, name in zip(numbers, names, strict=True)))


def _answers(marked: Marked, found: re.Match[str]) -> Reading | Unread:
    numbers = [marked.number(found.group("n0") or found.group("n1")), marked.number(found.group("n2"))]
    said_of = [re.sub(r"\s+", " ", found.group(name)).strip(" ,") for name in ("g1", "g2")]
    who = found.group("who") or "all respondents"
    if any(number.unit != "percent" for number in numbers):
        return Unread("units_differ", found.group()[:160])
    if any(_ANAPHORA.search(re.sub(r"\bthan it\b", "than", text)) for text in said_of) or said_of[0] == said_of[1]:
        return Unread("measure_unclear", found.group()[:160])
    return Reading(who, "answer", tuple(Value(n, label) for n, label in zip(numbers, said_of, strict=True)))


def _group(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip(" ,")
    text = re.sub(r"\A(?:the|all|both|of)\s+", "", text)
    if len(text.split()) > 8 or _ANAPHORA.search(text) or re.search(r"\b(?:who|that|which|say|says)\b", text):
        return ""
    return text
