"""What can be asked of stated values, each with its program and the mistakes that lead to wrong options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from finlmm_core.domain import QuestionType
from finlmm_generators.stated import Statement, Value

Kind = Literal["amount", "percent", "points", "ratio", "ordinal", "which"]
_ARITHMETIC, _STATISTICS = QuestionType.ARITHMETIC_REASONING, QuestionType.STATISTICS_REASONING


@dataclass(frozen=True)
class StatedDraft:
    """A question before it has words: ``values`` are bound to a, b, c ... of the program, in this order."""

    template: str
    type: QuestionType
    kind: Kind
    values: tuple[Value, ...]
    program: str
    mistakes: tuple[str, ...] = ()
    signed: bool = False


_FLOW = re.compile(
    r"revenue|sales|income|profit|earnings|expense|costs?\b|payments?\b|purchases|expenditure|depreciation|amorti[sz]ation|"
    r"dividends|charges?\b|fees|contributions|营业收入|营收|净利润|毛利|费用|支出|开支|销售额",
    re.IGNORECASE,
)
_STOCK = re.compile(
    r"\b(?:balance|assets?|liabilit|debt|allowance|obligation|commitments?|receivable|payable|outstanding|per\s+\w*\s*share|"
    r"rate|margin|carrying|accumulated|deferred|unrecognized)|率|余额|资产|负债",
    re.IGNORECASE,
)


def drafts(statement: Statement) -> Iterator[StatedDraft]:
    """Yield what can be asked of a statement's values."""
    percent = statement.values[0].number.unit == "percent"
    if statement.kind != "period":
        yield from _of_groups(statement)
        return
    values = statement.values
    spans = [(i, i + 1) for i in range(len(values) - 1)]
    if len(values) > 2:
        spans.append((0, len(values) - 1))
    for first, last in spans:
        earlier, later = values[first], values[last]
        pair = (later, earlier)
        positive = earlier.number.value > 0 and later.number.value > 0
        if percent:
            yield StatedDraft(
                "point_change",
                _ARITHMETIC,
                "points",
                pair,
                "a - b",
                ("(a - b) / b * 100", "(a - b) / a * 100", "(a + b) / 2", "a", "b"),
                signed=True,
            )
        else:
            yield StatedDraft(
                "change",
                _ARITHMETIC,
                "amount",
                pair,
                "a - b",
                ("(a + b) / 2", "a", "b", "(a - b) / 2", "a + b", "(a - b) * 10", "(a - b) / 10"),
                signed=True,
            )
            if positive:
                yield StatedDraft(
                    "growth_rate",
                    _ARITHMETIC,
                    "percent",
                    pair,
                    "(a - b) / b * 100",
                    (
                        "(a - b) / a * 100",
                        "a / b * 100",
                        "b / a * 100",
                        "(a - b) / (a + b) * 100",
                        "(a - b) / (a + b) * 200",
                        "(a - b) / b * 10",
                        "(a - b) / b * 1000",
                    ),
                    signed=True,
                )
        if positive and not percent:
            yield StatedDraft(
                "period_ratio",
                _ARITHMETIC,
                "ratio",
                pair,
                "a / b",
                ("b / a", "(a - b) / b", "a / (a + b)", "b / (a + b)", "(a + b) / b", "a / b / 10", "a / b * 10"),
            )
        if positive:
            yield StatedDraft("which_period", _STATISTICS, "which", (earlier, later), "argmax(a, b)")
    if all(value.number.value > 0 for value in values) and len({value.number.value for value in values}) > 1:
        names = [chr(97 + i) for i in range(len(values))]
        joined = ", ".join(names)
        kinds = {value.period.kind for value in values if value.period}
        yield StatedDraft(
            "average",
            _ARITHMETIC,
            "percent" if percent else "amount",
            values,
            f"mean({joined})",
            (*names, f"sum({joined})", f"(max({joined}) - min({joined})) / 2", "(a + b * 2) / 3", "(a * 2 + b) / 3"),
        )
        years = [value.period.year for value in values if value.period]
        follow = kinds == {"year"} and all(b - a == 1 for a, b in pairwise(years))
        flow = follow and _FLOW.search(statement.measure) and not _STOCK.search(statement.measure)
        if flow and not percent:
            yield StatedDraft(
                "sum_periods",
                _ARITHMETIC,
                "amount",
                values,
                f"sum({joined})",
                (f"mean({joined})", "a + a", "b + b", "a - b", "b - a", f"sum({joined}) / 10"),
            )
        if len(values) >= 3:
            for i, value in enumerate(values):
                others = values[:i] + values[i + 1 :]
                yield StatedDraft("period_rank", _STATISTICS, "ordinal", (value, *others), f"rank(a, {joined})")


def _of_groups(statement: Statement) -> Iterator[StatedDraft]:
    if statement.kind == "share" and len(statement.values) >= 2:
        joined = ", ".join(chr(97 + i) for i in range(len(statement.values)))
        mistakes = (f"mean({joined})", "a + b", "a", f"100 - sum({joined})", "a - b", f"sum({joined}) - a")
        yield StatedDraft("share_sum", _ARITHMETIC, "percent", statement.values, f"sum({joined})", mistakes)
    for i, one in enumerate(statement.values):
        for two in statement.values[i + 1 :]:
            larger, smaller = (one, two) if one.number.value > two.number.value else (two, one)
            if larger.number.value == smaller.number.value or smaller.number.value <= 0:
                continue
            pair = (larger, smaller)
            kind = statement.kind
            yield StatedDraft(
                f"{kind}_gap",
                _ARITHMETIC,
                "points",
                pair,
                "a - b",
                ("(a - b) / b * 100", "(a - b) / a * 100", "(a + b) / 2", "100 - a - b", "a", "b"),
            )
            yield StatedDraft(
                f"{kind}_ratio",
                _ARITHMETIC,
                "ratio",
                pair,
                "a / b",
                ("b / a", "(a - b) / b", "a / (a + b)", "(a + b) / b", "a / b / 10", "a / b * 10"),
            )
            if kind == "group":
                yield StatedDraft("which_group", _STATISTICS, "which", (one, two), "argmax(a, b)")
