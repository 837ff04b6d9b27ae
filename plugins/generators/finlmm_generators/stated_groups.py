"""Grammar of English sentences that set groups of people, their answers, or parts of a whole against each other."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re

from finlmm_generators.stated import NUMBER_MARKS, PERIOD_MARKS, Marked, Reading, Unread, Value
from finlmm_generators.stated_words import ABOUT as _ABOUT
from finlmm_generators.stated_words import ARTICLE as _ARTICLE
from finlmm_generators.stated_words import END as _END
from finlmm_generators.stated_words import NUMBERS as _NS
from finlmm_generators.stated_words import PERIOD as _P
from finlmm_generators.stated_words import PREPOSITION as _PREP
from finlmm_generators.stated_words import measure_problem

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


def read_groups(marked: Marked) -> Reading | Unread | None:
    """Return what a sentence says of two or more groups, Unread where in doubt, None where it says no such thing."""
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
