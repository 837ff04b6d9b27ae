"""The charts that annual reports show, made from a company's books."""

from __future__ import annotations

from finlmm_core.synth.chart_kinds import ChartSpec
from finlmm_core.synth.exhibits import Exhibits
from finlmm_core.synth.truth import ChartType


class ChartExhibits(Exhibits):
    """Makes the charts for the report about one year, beside the tables."""

    def _chart(
        self,
        kind: ChartType,
        categories: list[str],
        series: dict[str, list[float]],
        *,
        percent: bool = False,
        decimals: int | None = None,
    ) -> ChartSpec:
        return ChartSpec(
            kind=kind,
            categories=tuple(categories),
            names=tuple(series),
            values=tuple(map(tuple, series.values())),
            decimals=1 if percent else self.company.unit.decimals if decimals is None else decimals,
            unit=("%" if self.voice.rng.random() < 0.3 else "") if percent else self.voice.units.axis,
            percent=percent,
        )

    def revenue_history(self) -> ChartSpec:
        years = self.years(5, newest_first=False)
        values = [self.voice.value(self.company.history[year].revenue) for year in years]
        kind: ChartType = self.voice.rng.choice(["bar", "bar", "line"])
        return self._chart(kind, [str(year) for year in years], {self.voice.label("revenue"): values})

    def revenue_by_segment(self) -> ChartSpec:
        count = self.voice.rng.choice([3, 4, 5])
        years = self.years(count, newest_first=False)
        series = {
            name: [self.voice.value(self.company.history[year].segments[name]) for year in years]
            for name in self.company.segments
        }
        kind: ChartType = self.voice.rng.choice(["stacked", "stacked", "grouped", "area" if count > 3 else "line"])
        return self._chart(kind, [str(year) for year in years], series)

    def regions_chart(self) -> ChartSpec:
        book = self.book()
        names = self.company.regions
        kind: ChartType = self.voice.rng.choice(["pie", "donut", "hbar"])
        values = [round(book.regions[name] / book.revenue * 100, 1) for name in names]
        return self._chart(kind, list(names), {self.voice.label("share_head"): values}, percent=True)

    def segment_share(self) -> ChartSpec:
        book = self.book()
        values = [round(book.segments[name] / book.revenue * 100, 1) for name in self.company.segments]
        kind: ChartType = self.voice.rng.choice(["pie", "donut"])
        return self._chart(kind, list(self.company.segments), {self.voice.label("share_head"): values}, percent=True)

    def margins(self) -> ChartSpec:
        years = self.years(5, newest_first=False)
        series = {
            self.voice.label(key): [self.company.history[year].volume[key] for year in years]
            for key in ("margin", "operating_margin", "net_margin")
        }
        return self._chart("line", [str(year) for year in years], series, percent=True)

    def quarters_chart(self) -> ChartSpec:
        names = [self.voice.label("quarter").format(n) for n in range(1, 5)]
        series = {
            str(book.year): [self.voice.value(value) for value in book.quarters] for book in (self.book(1), self.book())
        }
        return self._chart(self.voice.rng.choice(["grouped", "line"]), names, series)

    def segment_profit(self) -> ChartSpec:
        book = self.book()
        values = [self.voice.value(book.segment_profit[name]) for name in self.company.segments]
        return self._chart("hbar", list(self.company.segments), {self.voice.label("segment_profit"): values})

    def growth(self) -> ChartSpec:
        years = self.years(5, newest_first=False)
        books = [self.company.history[year] for year in years]
        series = {
            self.voice.label("revenue"): [self.voice.value(book.revenue) for book in books],
            self.voice.label("operating_margin"): [book.volume["operating_margin"] for book in books],
        }
        return self._chart("combo", [str(year) for year in years], series)

    def cash_history(self) -> ChartSpec:
        years = self.years(4, newest_first=False)
        books = [self.company.history[year] for year in years]
        series = {
            self.voice.label("cash_operating"): [self.voice.value(book.cash["operating"]) for book in books],
            self.voice.label("capex"): [self.voice.value(-book.cash["capex"]) for book in books],
        }
        return self._chart("grouped", [str(year) for year in years], series)

    def bridge(self) -> ChartSpec:
        book = self.book()
        keys = ["revenue", "cost", "research", "selling", "admin", "other_costs", "operating"]
        short = [self.voice.labels[key] for key in keys]
        values = [book.income[key] * (1 if key in ("revenue", "operating") else -1) for key in keys]
        wrapped = [_break(label) for label in short]
        return self._chart("waterfall", wrapped, {"": [self.voice.value(value) for value in values]})


def _break(label: str) -> str:
    """Break a long label over lines, so that it fits below a bar."""
    if any("\u4e00" <= char <= "\u9fff" for char in label):
        return label if len(label) <= 5 else f"{label[:4]}\n{label[4:]}"
    lines, line = [], ""
    for word in label.split(" "):
        if line and len(line) + len(word) > 10:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line])
