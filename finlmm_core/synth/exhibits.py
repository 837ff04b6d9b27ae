"""The tables and charts that annual reports show, made from a company's books."""

from __future__ import annotations

import re
from dataclasses import replace

from finlmm_core.synth.finance import Company, FiscalYear
from finlmm_core.synth.table_plan import Cell, Heading, Row, TableSpec
from finlmm_core.synth.wording import Voice

_CURRENCY = re.compile(r"[$€£]|dollar|euro|EUR|GBP|USD", re.IGNORECASE)


class Exhibits:
    """Makes tables and charts for the report about one year.

    Args:
        company: whose books they show.
        year: the year reported on.
        voice: wording and number style.
        unit_place: where tables tell their unit: 'stub', 'caption', 'line' or 'column'.
        signs: whether the first and the last amount of a column carry a currency sign of their own.
    """

    def __init__(self, company: Company, year: int, voice: Voice, unit_place: str, signs: bool) -> None:
        self.company, self.year, self.voice = company, year, voice
        self.unit_place, self.signs = unit_place, signs and not voice.zh

    def book(self, back: int = 0) -> FiscalYear:
        return self.company.history[self.year - back]

    # ------------------------------------------------------------------ building blocks

    def table(
        self,
        levels: list[list[Heading]],
        rows: list[Row],
        *,
        money: bool = True,
        signed: int = 0,
        text_columns: frozenset[int] = frozenset(),
    ) -> TableSpec:
        """Return a table; its unit goes where the report tells units. ``signed`` columns get currency signs."""
        voice = self.voice
        unit = voice.unit_heading if money else ""
        stub = ""
        if money and (self.unit_place == "stub" or (self.unit_place == "column" and not signed)):
            stub = unit if voice.zh else f"({unit})" if unit[0].islower() else unit
        if money and self.unit_place == "column" and signed:
            last = list(levels[-1])
            levels = [*levels, [Heading(voice.units.column if i < signed else "") for i in range(len(last))]]
            unit = voice.units.column
        if self.signs and signed:
            rows = self._with_signs(rows, signed)
        return TableSpec(
            levels=tuple(tuple(level) for level in levels),
            rows=tuple(rows),
            stub_head=stub,
            unit=unit,
            scale=self.company.unit.scale if money else 1,
            currency=self.company.unit.currency if money else None,
            currency_printed=voice.zh or (self.signs and signed > 0) or bool(_CURRENCY.search(unit)),
            text_columns=text_columns,
        )

    def _with_signs(self, rows: list[Row], columns: int) -> list[Row]:
        result, first = [], True
        for row in rows:
            if row.cells and (first or row.kind == "total"):
                first = False
                cells = tuple(
                    cell._replace(sign=self.company.unit.symbol)
                    if i < columns and cell.text and not cell.sign
                    else cell
                    for i, cell in enumerate(row.cells)
                )
                row = row._replace(cells=cells)
            result.append(row)
        return result

    def money_row(
        self, key: str, values: list[int], kind: str = "data", indent: int = 0, extra: tuple[str, ...] = ()
    ) -> Row:
        label = self.voice.labels.get(key, key)
        cells = [Cell(self.voice.amount(value)) for value in values] + [Cell(text) for text in extra]
        return Row(label, tuple(cells), kind, indent)  # type: ignore[arg-type]

    def years(self, count: int, newest_first: bool = True) -> list[int]:
        years = [self.year - back for back in range(count)]
        return years if newest_first else years[::-1]

    def year_heading(self, year: int) -> str:
        return f"{year}年" if self.voice.zh else str(year)

    def spanned(self, count: int, key: str = "years_ended") -> list[list[Heading]]:
        """Return the two heading rows 'Year Ended December 31' over the years."""
        text = self.voice.label(key).format(self.company.years_end + ("," if not self.voice.zh else ""))
        return [[Heading(text, count)], [Heading(self.year_heading(year)) for year in self.years(count)]]

    # ------------------------------------------------------------------ tables

    def results(self) -> TableSpec:
        """Return the income statement in short, two years with change."""
        now, before = self.book(), self.book(1)
        rows = []
        for key, kind in (
            ("revenue", "data"),
            ("cost", "data"),
            ("gross", "total"),
            ("total_costs", "data"),
            ("operating", "total"),
            ("pretax", "data"),
            ("tax", "data"),
            ("net", "total"),
        ):
            a, b = now.income[key], before.income[key]
            rows.append(self.money_row(key, [a, b], kind, extra=(self.voice.percent_cell(a, b),)))
        levels = [
            [*(Heading(self.year_heading(year)) for year in self.years(2)), Heading(self.voice.label("change_head"))]
        ]
        return self.table(levels, rows, signed=2)

    def segments(self) -> TableSpec:
        """Return revenue and profit by segment, years below each."""
        now, before = self.book(), self.book(1)
        revenue, profit = self.voice.label("revenue"), self.voice.label("segment_profit")
        rows = []
        for name in self.company.segments:
            values = [now.segments[name], before.segments[name], now.segment_profit[name], before.segment_profit[name]]
            rows.append(Row(name, tuple(Cell(self.voice.amount(value)) for value in values)))
        totals = [sum(book.segments.values()) for book in (now, before)]
        totals += [sum(book.segment_profit.values()) for book in (now, before)]
        rows.append(self.money_row("total_line", totals, "total"))
        levels = [
            [Heading(revenue, 2), Heading(profit, 2)],
            [Heading(self.year_heading(y)) for y in [*self.years(2)] * 2],
        ]
        return self.table(levels, rows, signed=4)

    def regions(self) -> TableSpec:
        """Return revenue by region with shares."""
        now, before = self.book(), self.book(1)
        rows = []
        for name in self.company.regions:
            a, b = now.regions[name], before.regions[name]
            rows.append(
                Row(
                    name,
                    (
                        Cell(self.voice.amount(a)),
                        Cell(self.voice.amount(b)),
                        Cell(f"{a / now.revenue * 100:.1f}%"),
                        Cell(f"{b / before.revenue * 100:.1f}%"),
                    ),
                )
            )
        total = (
            Cell(self.voice.amount(now.revenue)),
            Cell(self.voice.amount(before.revenue)),
            Cell("100.0%"),
            Cell("100.0%"),
        )
        rows.append(Row(self.voice.label("total_line"), total, "total"))
        unit = self.voice.label("revenue")
        levels = [
            [Heading(unit, 2), Heading(self.voice.label("share_head"), 2)],
            [Heading(self.year_heading(y)) for y in [*self.years(2)] * 2],
        ]
        return self.table(levels, rows, signed=2)

    def quarters(self) -> TableSpec:
        """Return revenue by quarter of two years."""
        rows = []
        for back in range(2):
            book = self.book(back)
            rows.append(
                Row(
                    self.year_heading(book.year),
                    tuple(Cell(self.voice.amount(value)) for value in [*book.quarters, book.revenue]),
                )
            )
        names = [self.voice.label("quarter").format(n) for n in range(1, 5)]
        levels = [[Heading(name) for name in [*names, self.voice.label("full_year")]]]
        return self.table(levels, rows, signed=5)

    def expenses(self) -> TableSpec:
        """Return operating expenses of three years."""
        rows = [
            self.money_row(key, [self.book(back).income[key] for back in range(3)])
            for key in ("research", "selling", "admin", "other_costs")
        ]
        rows.append(
            self.money_row("total_costs", [self.book(back).income["total_costs"] for back in range(3)], "total")
        )
        return self.table(self.spanned(3), rows, signed=3)

    def five_years(self) -> TableSpec:
        """Return the five-year summary, with ratios and people below amounts."""
        books = [self.book(back) for back in range(5)]
        rows = [
            self.money_row(key, [book.income[key] for book in books])
            for key in ("revenue", "gross", "operating", "net")
        ]
        rows += [self.money_row(key, [book.balance[key] for book in books]) for key in ("assets", "equity")]
        rows.append(
            Row(
                self.voice.label("operating_margin"), tuple(Cell(f"{b.volume['operating_margin']:.1f}%") for b in books)
            )
        )
        rows.append(Row(self.voice.label("employees"), tuple(Cell(f"{book.employees:,}") for book in books)))
        return self.table([[Heading(self.year_heading(year)) for year in self.years(5)]], rows)

    def income_statement(self) -> TableSpec:
        """Return the full income statement of three years."""
        books = [self.book(back) for back in range(3)]

        def line(key: str, kind: str = "data", indent: int = 0) -> Row:
            return self.money_row(key, [book.income[key] for book in books], kind, indent)

        rows = [
            line("revenue"),
            line("cost"),
            line("gross", "total"),
            Row(self.voice.label("section_costs"), (), "section"),
        ]
        rows += [line(key, indent=1) for key in ("research", "selling", "admin", "other_costs")]
        rows += [
            line("total_costs", "total"),
            line("operating", "total"),
            line("interest"),
            line("other"),
            line("pretax", "total"),
            line("tax"),
            line("net", "total"),
        ]
        rows.append(Row(self.voice.label("section_share"), (), "section"))
        eps = tuple(
            Cell(
                f"{book.eps:,.2f}" if book.eps >= 0 else f"({-book.eps:,.2f})",
                self.company.unit.symbol if self.signs else "",
            )
            for book in books
        )
        rows.append(Row(self.voice.label("eps"), eps, indent=1))
        return self.table(self.spanned(3), rows, signed=3)

    def balance_sheet(self) -> TableSpec:
        """Return the balance sheet of two years."""
        books = [self.book(back) for back in range(2)]

        def line(key: str, kind: str = "data", indent: int = 0) -> Row:
            return self.money_row(key, [book.balance[key] for book in books], kind, indent)

        rows = [Row(self.voice.label("section_assets"), (), "section")]
        rows += [line(key, indent=1) for key in ("cash", "receivables", "inventories", "prepaid")]
        rows += [line("current", "total"), line("ppe"), line("goodwill"), line("intangibles"), line("assets", "total")]
        rows.append(Row(self.voice.label("section_liabilities"), (), "section"))
        rows += [line(key, indent=1) for key in ("payables", "accrued", "short_debt")]
        rows += [line("short", "total"), line("long_debt"), line("other_liabilities"), line("liabilities", "total")]
        rows.append(Row(self.voice.label("section_equity"), (), "section"))
        rows += [line("stock", indent=1), line("retained", indent=1), line("equity", "total"), line("total", "total")]
        return self.table(self.spanned(2, "as_of"), rows, signed=2)

    def cash_flows(self) -> TableSpec:
        """Return the cash flow statement of three years."""
        books = [self.book(back) for back in range(3)]

        def line(label: str, key: str, kind: str = "data", indent: int = 0) -> Row:
            return self.money_row(label, [book.cash[key] for book in books], kind, indent)

        rows = [Row(self.voice.label("section_operating"), (), "section"), line("net", "net", indent=1)]
        rows += [
            line("depreciation", "depreciation", indent=1),
            line("d_receivables", "receivables", indent=1),
            line("d_inventories", "inventories", indent=1),
            line("d_payables", "payables", indent=1),
            line("other_operating", "other_operating", indent=1),
            line("cash_operating", "operating", "total"),
        ]
        rows += [
            Row(self.voice.label("section_investing"), (), "section"),
            line("capex", "capex", indent=1),
            line("acquisitions", "acquisitions", indent=1),
            line("cash_investing", "investing", "total"),
        ]
        rows += [
            Row(self.voice.label("section_financing"), (), "section"),
            line("borrowings", "borrowings", indent=1),
            line("dividends", "dividends", indent=1),
            line("cash_financing", "financing", "total"),
        ]
        rows += [line("change", "change"), line("opening", "opening"), line("closing", "closing", "total")]
        return self.table(self.spanned(3), rows, signed=3)

    def obligations(self) -> TableSpec:
        """Return obligations by maturity; they add up in both directions."""
        from finlmm_core.synth.finance import spread

        book = self.book()
        rng = self.voice.rng
        heads = [self.voice.label(key) for key in ("total_line", "less_one", "one_three", "three_five", "over_five")]
        rows, sums = [], [0] * 5
        for key, total in (
            ("long_debt", book.balance["long_debt"] + book.balance["short_debt"]),
            ("interest", -book.income["interest"] * 4),
            ("payables", book.balance["payables"]),
        ):
            weights = [rng.uniform(0.3, 1.5) for _ in range(4)] if key != "payables" else [1.0, 0.06, 0.02, 0.0]
            values = [total, *spread(total, weights)]
            sums = [s + v for s, v in zip(sums, values, strict=True)]
            rows.append(self.money_row(key, values))
        rows.append(self.money_row("total_line", sums, "total"))
        return self.table([[Heading(head) for head in heads]], rows, signed=5)

    def indicators(self) -> TableSpec:
        """Return measures that are no money, three years."""
        books = [self.book(back) for back in range(3)]
        rows = [
            Row(self.voice.label(key), tuple(Cell(f"{book.volume[key]:.1f}%") for book in books))
            for key in ("margin", "operating_margin", "net_margin", "retention", "satisfaction")
        ]
        rows.append(Row(self.voice.label("employees"), tuple(Cell(f"{book.employees:,}") for book in books)))
        return self.table([[Heading(self.year_heading(year)) for year in self.years(3)]], rows, money=False)

    def sites(self) -> TableSpec:
        """Return a table of words with one column of numbers."""
        rng, phrases = self.voice.rng, self.voice.phrases
        rows = []
        for place in rng.sample(list(phrases.places), rng.randint(4, 7)):
            area = f"{rng.randint(12, 480) * 500:,}"
            product = rng.choice(self.voice.sector.products)
            shown = product if self.voice.zh else product[0].upper() + product[1:]
            rows.append(Row(place, (Cell(rng.choice(self.company.regions)), Cell(shown), Cell(area))))
        heads = [Heading(self.voice.label(key)) for key in ("country_head", "use_head", "area_head")]
        spec = self.table([heads], rows, money=False, text_columns=frozenset({0, 1}))
        return replace(spec, stub_head=self.voice.label("sites_head"))

    def with_notes(self, spec: TableSpec) -> TableSpec:
        """Return the table with a column of note numbers after the labels, as financial statements have it."""
        rng = self.voice.rng
        number = rng.randint(2, 6)
        rows = []
        for row in spec.rows:
            if row.kind == "section":
                rows.append(row)
                continue
            note = ""
            if row.kind == "data" and rng.random() < 0.6:
                note = str(number)
                number += 1
            rows.append(row._replace(cells=(Cell(note), *row.cells)))
        at = min(1, len(spec.levels) - 1)
        levels = tuple(
            (Heading(self.voice.label("note_head") if index == at else ""), *level)
            for index, level in enumerate(spec.levels)
        )
        return replace(spec, rows=tuple(rows), levels=levels)

    def with_footnote(self, spec: TableSpec) -> TableSpec:
        """Return the table with a footnote's number behind one label."""
        places = [index for index, row in enumerate(spec.rows) if row.kind == "data" and row.cells]
        at = self.voice.rng.choice(places)
        rows = list(spec.rows)
        rows[at] = rows[at]._replace(label=f"{rows[at].label} (1)")
        return replace(spec, rows=tuple(rows))
