"""Grammar of Chinese paragraphs that state one measure for several periods, or shares of several parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from finlmm_core.quantities import Number, Period, parse_number
from finlmm_generators.stated import (
    NUMBER_MARKS,
    PERIOD_MARKS,
    Marked,
    Reading,
    Unread,
    Value,
    completed,
    exactly,
    mark,
    same_units,
)

_N, _P = f"[{NUMBER_MARKS}]", f"[{PERIOD_MARKS}]"
_UP, _DOWN = "增长|增加|提升|上升|提高|上涨|攀升|扩大|增至|升至|提升至", "下降|减少|降低|下滑|回落|收窄|下跌|降至|减至"
_M = r"(?P<m>[\u4e00-\u9fffA-Za-z&（）()/]{2,24}?)"
_IS = r"(?:约为|约|为|达到|达|实现|合计|是)?"
_LIST = re.compile(
    r"(?P<m>[\u4e00-\u9fffA-Za-z/]{2,20}?)(?:分别)?(?:约为|约|为|达到|达|至)?(?P<list>-?\d[\d,]*(?:\.\d+)?%?(?:/-?\d[\d,]*(?:\.\d+)?%?)+)(?P<unit>亿元|百万元|万元|亿美元|百万美元|万美元|元|%|倍)?"
)
_YEARS = re.compile(r"(?P<first>20\d\d)[-–—~至](?P<last>20\d\d)年")
_START = r"(?:\A|[，。；：])(?:其中|此外)?，?"
_MOVED = re.compile(
    rf"{_START}(?P<lead>报告期内|本报告期|本期|本年度?)?，?{_M}[由从](?P<p0>{_P})(?:同期)?的?(?P<n0>{_N})(?:大幅|小幅|快速|持续|稳步|逐步)*(?P<word>{_UP}|{_DOWN}|变动?)?(?:了?(?P<by>{_N}))?[至到为](?:(?P<p1>{_P})的?)?(?P<n1>{_N})"
)
_VERSUS = re.compile(
    rf"{_START}(?P<p1>{_P})，?(?:公司|集团)?(?:实现)?{_M}{_IS}(?P<n1>{_N})，(?:较|比|高于|低于|而|相比)?(?:(?P<p0>{_P})|(?P<last>上年|去年|上一年))(?:同期)?(?:则)?(?:为|的)?(?P<n0>{_N})"
)
_ENCLOSED = re.compile(
    rf"{_START}(?P<p1>{_P})，?(?:公司|集团)?(?:实现)?{_M}(?:(?P<word>{_UP}|{_DOWN})了?(?P<by>{_N})?[至到为]|{_IS})(?P<n1>{_N})[（(](?:(?P<p0>{_P})|(?P<last>上年|去年|上一年))(?:同期)?[:：为]?(?P<n0>{_N})[)）]"
)
_TRIPLE = re.compile(
    rf"(?:公司|集团)?(?:全年|累计)?(?:实现|完成|录得)?{_M}{_IS}(?P<n>{_N})(?:[，,（(]?同比(?P<word>{_UP}|{_DOWN})(?:了|约)?(?P<by>{_N}))?"
)
_SHARES = re.compile(
    rf"(?P<m>[\u4e00-\u9fffA-Za-z]{{2,20}}?)(?:的?构成|的?结构)?(?:中|前[两三四五]位|前[两三四五]名|[，,]|主要|分别|包括|是|为)*(?:是|为|中)(?P<gs>[\u4e00-\u9fffA-Za-z]{{2,14}}(?:[、和及与][\u4e00-\u9fffA-Za-z]{{2,14}}){{1,5}})，?(?:分别占比|占比分别为|分别占|占比分别达)(?:为)?(?P<ns>{_N}(?:[、和及，]{_N}){{1,5}})"
)
_SAME = {"营收": "营业收入", "营业总收入": "营业收入", "销售收入": "营业收入", "归母净利": "归母净利润"}
_NO_MEASURE = re.compile(
    r"同比|环比|增速|增长|增幅|下降|其中|上述|该|此|对应|当前|预计|有望|将|较|第|排名|目标|累计同|分别|我们|以及|并"
)


def read_chinese(text: str) -> Iterator[Reading | Unread]:
    """Yield what a paragraph (without spaces) states, in its order."""
    for sentence in re.split(r"(?<=[。！？])", text):
        yield from _lists(sentence)
    marked = mark(text)
    if len(marked.numbers) < 2:
        return
    taken: set[str] = set()
    for shape in (_MOVED, _VERSUS, _ENCLOSED):
        for found in shape.finditer(marked.text):
            item = _pair(marked, found)
            if isinstance(item, Reading):
                taken |= {found.group("n0"), found.group("n1")}
            yield item
    for found in _SHARES.finditer(marked.text):
        yield _shares(marked, found)
    yield from _combined(marked, taken)


def _lists(sentence: str) -> Iterator[Reading | Unread]:
    """Read '2025-2027年营业收入分别为671.96/780.62/896.06亿元，归母净利润分别为...'."""
    spans = list(_YEARS.finditer(sentence))
    for position, span in enumerate(spans):
        end = spans[position + 1].start() if position + 1 < len(spans) else len(sentence)
        years = list(range(int(span.group("first")), int(span.group("last")) + 1))
        before: list[Number] = []
        for found in _LIST.finditer(sentence, span.end(), end):
            printed = found.group("list").split("/")
            unit = found.group("unit") or ("%" if printed[-1].endswith("%") else "")
            numbers = [parse_number(item.rstrip("%") + unit) for item in printed]
            read = [n._replace(text=item) for n, item in zip(numbers, printed, strict=True) if n is not None]
            if len(read) != len(printed):
                continue
            if re.search(r"同比|增速", found.group("m")) and len(read) == len(before) == len(years):
                if not _grows(before, read):
                    yield Unread("disagrees_with_prose", found.group()[:160])
                continue
            before = read
            measure = _measure(found.group("m"))
            if not measure:
                continue
            if len(read) != len(years) or not unit or not same_units(read):
                yield Unread("values_and_periods_differ", found.group()[:160])
                continue
            values = tuple(Value(number, f"{year}年", _year(year)) for number, year in zip(read, years, strict=True))
            yield Reading(measure, "period", values)


def _grows(values: list[Number], rates: list[Number]) -> bool:
    """Whether the rates of all years but the first, whose base is not stated, follow from the values."""
    for earlier, later, rate in zip(values, values[1:], rates[1:], strict=False):
        (low0, high0), (low1, high1), (low, high) = exactly(earlier), exactly(later), exactly(rate)
        if low0 <= 0 or low > (high1 / low0 - 1) * 100 or high < (low1 / high0 - 1) * 100:
            return False
    return True


def _year(year: int) -> Period:
    return Period(str(year), "year", year, f"{year}年", 0, 5)


def _measure(text: str) -> str:
    """Return the measure's name without what leads to it, '' where the words do not name one."""
    text = re.sub(
        r"\A(?:我们|预测|公司|集团|本公司|全年|当年|实现|完成|录得|其中|综合|的|总|合计|年度|预计|由于|同时|此外|其)+",
        "",
        text,
    )
    text = re.sub(r"(?:分别|约|为|达到|达|实现|则|仅|合计|共|至|的|高达|已达)+\Z", "", text).strip("（）()/")
    text = _SAME.get(text, text)
    if len(text) < 2 or _NO_MEASURE.search(text) or text.count("（") != text.count("）"):
        return ""
    return text


def _said(period: Period) -> str:
    text = re.sub(r"\A[（(]?截[至止]?|[）)]\Z", "", period.text)
    return f"{period.year}年" if period.kind == "year" and not period.estimate else text


def _pair(marked: Marked, found: re.Match[str]) -> Reading | Unread:
    parts = found.groupdict()
    measure = _measure(parts["m"])
    numbers = [marked.number(parts["n0"]), marked.number(parts["n1"])]
    detail = _plain(marked, found)
    later = marked.period(parts["p1"]) if parts.get("p1") else None
    earlier = marked.period(parts["p0"]) if parts.get("p0") else None
    # 'In the reporting period' is the year after the one compared with, 'the year before' the one before it.
    if later is None and earlier is not None and earlier.kind == "year" and parts.get("lead"):
        later = _year(earlier.year + 1)
    if earlier is None and later is not None and later.kind == "year":
        earlier = _year(later.year - 1)
    if earlier is None or later is None:
        return Unread("period_not_told", detail)
    periods = completed([earlier, later])
    if not measure:
        return Unread("measure_unclear", detail)
    if periods is None or periods[0].key == periods[1].key or any(period.estimate for period in periods):
        return Unread("periods_not_alike", detail)
    if not same_units(numbers):
        return Unread("units_differ", detail)
    values = sorted(
        (Value(number, _said(period), period) for number, period in zip(numbers, periods, strict=True)),
        key=lambda value: (value.period.year, value.key) if value.period else (0, ""),
    )
    by = (marked.number(parts["by"]),) if parts.get("by") else ()
    return Reading(measure, "period", tuple(values), by, _direction(parts.get("word")))


def _plain(marked: Marked, found: re.Match[str]) -> str:
    """Return the matched words with numbers and periods as printed, for the rejection's detail."""
    text = re.sub(_N, lambda m: marked.number(m.group()).text, found.group())
    return re.sub(_P, lambda m: marked.period(m.group()).text, text)[:160]


def _direction(word: str | None) -> int:
    return 0 if not word or word.startswith("变") else 1 if re.fullmatch(_UP, word) else -1


def _shares(marked: Marked, found: re.Match[str]) -> Reading | Unread:
    names = found.group("gs").split("、")
    numbers = [marked.number(character) for character in re.findall(_N, found.group("ns"))]
    if len(names) == len(numbers) - 1:
        names[-1:] = re.split(r"[和及与]", names[-1])
    measure = _measure(found.group("m"))
    detail = _plain(marked, found)
    if len(names) != len(numbers) or len(set(names)) < len(names):
        return Unread("values_and_groups_differ", detail)
    if not measure:
        return Unread("measure_unclear", detail)
    if any(number.unit != "percent" for number in numbers) or sum(n.value for n in numbers) > Decimal(100):
        return Unread("units_differ", detail)
    values = tuple(Value(number, name) for number, name in zip(numbers, names, strict=True))
    before = re.split(r"[。；！？]", marked.text[: found.start() + 1])[-1]
    dated = re.findall(_P, before)
    when = _said(marked.period(dated[-1])) if dated else ""
    return Reading(f"{when}{measure.removesuffix('构成')}占比", "share", values)


def _combined(marked: Marked, taken: set[str]) -> Iterator[Reading]:
    """Put together what neighbouring sentences say of one measure: '2023年实现营收N，同比减少N；2024年实现营收N'."""
    stated: dict[tuple[str, int, str | None], list[tuple[Value, Number | None, int]]] = {}
    period: Period | None = None
    for clause in re.split(r"[，。；！？]", _joined(marked.text)):
        if found := re.findall(_P, clause):
            period = marked.period(found[-1]) if len(found) == 1 else None
        if period is None or period.kind != "year" or period.estimate:
            continue
        told = _TRIPLE.fullmatch(re.sub(rf"\A[^{PERIOD_MARKS}]{{0,6}}{_P}(?:年|度)?", "", clause)) or _TRIPLE.fullmatch(
            clause
        )
        if told is None or told.group("n") in taken:
            continue
        measure, number = _measure(told.group("m")), marked.number(told.group("n"))
        if not measure or (number.unit is None and number.currency is None):
            continue
        by = marked.number(told.group("by")) if told.group("by") else None
        value = Value(number, _said(period), period)
        stated.setdefault((measure, number.scale, number.unit), []).append((value, by, _direction(told.group("word"))))
    for (measure, _, _), listed in stated.items():
        keys = [value.key for value, _, _ in listed]
        if len(listed) < 2 or len(set(keys)) < len(keys):
            continue
        ordered = sorted(listed, key=lambda item: item[0].key)
        values = tuple(value for value, _, _ in ordered)
        last, before = values[-1].period, values[-2].period
        follows = last and before and last.year == before.year + 1 and len(values) == 2
        rate = ordered[-1][1]
        rates = (rate,) if follows and rate is not None else ()
        yield Reading(measure, "period", values, rates, ordered[-1][2] if follows else 0)


def _joined(text: str) -> str:
    """Return the text with '，同比...' kept in the clause of its number."""
    return re.sub(r"[，,](?=同比)", "", text)
