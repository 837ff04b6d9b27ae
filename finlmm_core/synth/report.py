"""One annual report: its outline and what stands in each part."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from finlmm_core.domain import Box
from finlmm_core.synth import noise
from finlmm_core.synth.bind import bind
from finlmm_core.synth.chart_kinds import ChartSpec
from finlmm_core.synth.exhibit_charts import ChartExhibits
from finlmm_core.synth.finance import Company
from finlmm_core.synth.flow import Caption, Flow
from finlmm_core.synth.fonts import text_width
from finlmm_core.synth.look import pick_report_look
from finlmm_core.synth.pages import PageDraft
from finlmm_core.synth.phrases import Phrases, Sector, UnitWords
from finlmm_core.synth.table_plan import TableSpec
from finlmm_core.synth.truth import TruthNoise
from finlmm_core.synth.wording import Statement, Voice


class ReportMaker:
    """Writes the report of one company about one year.

    After ``write`` the attributes ``flow`` and ``title`` hold the page drafts and the report's title.
    """

    def __init__(self, company: Company, year: int, phrases: Phrases, sector: Sector, units: UnitWords) -> None:
        self.company, self.year, self.phrases = company, year, phrases
        self.rng = random.Random(f"report {company.key} {company.name} {year}")
        self.look = pick_report_look(company, year)
        self.voice = Voice(phrases, sector, units, company, self.rng)
        self.exhibits = ChartExhibits(
            company,
            year,
            self.voice,
            self.look.unit_place,
            signs=self.look.table.style == "filing" and random.Random(f"signs {company.key}").random() < 0.7,
        )
        self.title = self.voice.label("annual_report").format(year)
        own = random.Random(f"logo {company.key} {company.name}")
        logo = noise.Logo(
            own.choice(["shapes", "picture"]),
            own.randrange(4),
            self.look.accent,
            (0.95, 0.75, 0.3),
            company.short,
            self.look.display.bold,
        )
        head = own.choice([company.name, f"{company.short} | {self.title}", self.title])
        self.flow = Flow(self.rng, self.look, logo, head)
        self.figure_format = own.choice(phrases.figure_words)
        self.table_format = own.choice(phrases.table_words)
        self.raster_share = own.choice([0.0, 0.2, 0.35, 0.6])
        self.inside_titles = own.random() < 0.25
        self.notes_column = own.random() < 0.25
        self.footnotes = own.random() < 0.3
        self.contents = own.random() < 0.5
        self._numbers = {"figure": 0, "table": 0}

    # ------------------------------------------------------------------ outline

    def write(self, pages: int | None = None) -> None:
        """Fill all pages; where a number of pages is given, end after the section that reaches it."""
        scans = self.rng.random() < 0.4
        self._cover()
        if self.contents:
            self.flow.new_page()
        for section in self._outline(scans):
            section()
            if pages is not None and len(self.flow.pages) >= pages:
                break
        if self.contents:
            self._contents(self.flow.pages[1])

    def _outline(self, scans: bool) -> Iterator[Callable[[], None]]:
        """Yield the sections in order; which ones is drawn only when it is their turn."""
        yield self._letter
        yield from self.rng.sample([self._overview, self._overview_with_charts], 1)
        yield self._segments
        yield self._regions
        yield self._costs
        if self.rng.random() < 0.6:
            yield lambda: self._prose("strategy", "h_strategy", columns=self.rng.choice([1, 2]))
        if self.rng.random() < 0.4:
            yield self._sites
        yield self._liquidity
        if self.rng.random() < 0.5:
            yield lambda: self._prose("risk", "h_risk", columns=2)
        yield lambda: self._statements(scanned=scans and self.rng.random() < 0.6)
        yield lambda: self._prose("notes", "h_notes", columns=self.rng.choice([1, 2, 2]))
        if scans:
            yield self._audit

    def _contents(self, page: PageDraft) -> None:
        """Fill the page kept for the table of contents: titles, dots, page numbers."""
        look, sheet = self.look, page.sheet
        x, right, y = look.margin + 30.0, look.width - look.margin - 30.0, look.margin + 80.0
        boxes = [sheet.text(x, y, self.voice.label("contents"), look.display.bold, look.size * 2, look.accent)]
        y += look.size * 1.5
        dot = text_width(".", look.body.regular, look.size)
        for draft in self.flow.pages:
            for block in draft.blocks:
                if block.kind == "heading" and block.box.height > look.size * 1.2 and draft.number > 2:
                    y += look.size * 2.2
                    title = sheet.text(x, y, block.text, look.body.regular, look.size)
                    number = sheet.text(right, y, str(draft.number), look.body.regular, look.size, align="right")
                    count = int((number.x0 - title.x1 - 10) / dot)
                    sheet.text(number.x0 - 4, y, "." * max(3, count), look.body.regular, look.size, align="right")
                    boxes += [title, number]
        page.noise.append(TruthNoise(page=page.number, kind="contents", box=Box.around(boxes).rounded()))

    def _sites(self) -> None:
        flow = self.flow
        flow.columns(1, 160)
        flow.heading(self.voice.label("h_people"), 2)
        self._fill("people", 2)
        self._table("t_sites", self.exhibits.sites())

    def _cover(self) -> None:
        flow, look, voice = self.flow, self.look, self.voice
        flow.new_page(furniture=False)
        page, sheet = flow.page, flow.sheet
        boxes = noise.cover_shapes(self.rng, sheet, look.accent, (0.93, 0.86, 0.72))
        page.noise.extend(TruthNoise(page=1, kind="decoration", box=box.rounded()) for box in boxes)
        if self.rng.random() < 0.6:
            encoded = noise.photo(self.rng, self.rng.randrange(3), 480, 220)
            frame = Box(look.width * 0.28, look.height * 0.5, look.width * 0.9, look.height * 0.7)
            box = sheet.image(frame, encoded)
            page.noise.append(TruthNoise(page=1, kind="photo", box=box.rounded()))
        logo = flow.logo.draw(sheet, look.width * 0.28, look.height * 0.12, 130)
        page.noise.append(TruthNoise(page=1, kind="logo", box=logo.rounded()))
        for text, size, at in ((self.company.name, 26.0, 0.26), (self.title, 17.0, 0.31)):
            while text_width(text, look.display.bold, size) > look.width * 0.66:
                size *= 0.93
            dark = boxes[0].y1 > look.height * at and boxes[0].y0 < look.height * at and boxes[0].x1 > look.width * 0.9
            box = sheet.text(
                look.width * 0.28,
                look.height * at,
                text,
                look.display.bold,
                size,
                (1, 1, 1) if dark else (0.1, 0.1, 0.12),
            )
            flow._block("heading", text, [box])
        if not voice.zh:
            line = voice.label("years_ended").format(f"{self.company.years_end}, {self.year}")
            box = sheet.text(
                look.width * 0.28,
                look.height * 0.345,
                line,
                look.body.regular,
                11,
                (1, 1, 1)
                if boxes[0].y1 > look.height * 0.345
                and boxes[0].x1 > look.width * 0.9
                and boxes[0].y0 < look.height * 0.3
                else (0.2, 0.2, 0.2),
            )
            flow._block("paragraph", line, [box])

    def _letter(self) -> None:
        flow, voice = self.flow, self.voice
        now, before = self.exhibits.book(), self.exhibits.book(1)
        flow.new_page(self.rng.choice([1, 1, 2]))
        flow.heading(voice.label("h_letter"))
        if self.rng.random() < 0.5:
            flow.photo(self.rng.uniform(110, 170), self.rng.randrange(3))
        self._fill("letter", 2)
        self._tell(voice.statement(voice.label("revenue"), "revenue", now, before, now.revenue, before.revenue))
        self._fill("letter", 2)
        self._tell(voice.statement(voice.label("net"), "profit", now, before, now.income["net"], before.income["net"]))
        if flow.column_count == 1 and self.rng.random() < 0.6:
            flow.heading(voice.label("highlights"), 2)
            flow.callouts(
                [
                    (voice.money(now.revenue), voice.label("revenue")),
                    (voice.money(now.income["operating"]), voice.label("operating")),
                    (f"{now.volume['operating_margin']:.1f}%", voice.label("operating_margin")),
                    (f"{now.employees:,}", voice.label("employees")),
                ][: self.rng.choice([3, 4])]
            )
        self._fill("letter", 1)
        if self.rng.random() < 0.7 and flow.column_count == 1:
            self._table("t_five_years", self.exhibits.five_years())

    def _overview(self) -> None:
        flow, voice = self.flow, self.voice
        now, before = self.exhibits.book(), self.exhibits.book(1)
        flow.columns(1, 200)
        flow.heading(voice.label("h_overview"))
        self._tell(voice.statement(voice.label("revenue"), "revenue", now, before, now.revenue, before.revenue))
        self._table("t_results", self.exhibits.results())
        self._tell(voice.statement(voice.label("cost"), "cost", now, before, now.income["cost"], before.income["cost"]))
        self._tell(voice.points(voice.label("margin"), now, before, now.volume["margin"], before.volume["margin"]))
        self._chart("revenue_history", self.exhibits.revenue_history())
        if self.rng.random() < 0.5:
            self._table("t_quarters", self.exhibits.quarters())

    def _overview_with_charts(self) -> None:
        flow, voice = self.flow, self.voice
        now, before = self.exhibits.book(), self.exhibits.book(1)
        flow.columns(1, 200)
        flow.heading(voice.label("h_overview"))
        self._tell(voice.statement(voice.label("revenue"), "revenue", now, before, now.revenue, before.revenue))
        self._table("t_results", self.exhibits.results())
        flow.columns(2, 230, height=self.rng.uniform(330, 400))
        self._chart("growth", self.exhibits.growth())
        self._tell(
            voice.statement(
                voice.label("operating"), "profit", now, before, now.income["operating"], before.income["operating"]
            )
        )
        self._fill("strategy", 1)
        self._chart("quarters", self.exhibits.quarters_chart())
        self._tell(voice.points(voice.label("margin"), now, before, now.volume["margin"], before.volume["margin"]))
        self._fill("people", 2)

    def _segments(self) -> None:
        flow, voice = self.flow, self.voice
        now, before = self.exhibits.book(), self.exhibits.book(1)
        flow.columns(1)
        flow.heading(voice.label("h_segments"))
        self._chart("revenue_by_segment", self.exhibits.revenue_by_segment())
        self._table("t_segments", self.exhibits.segments())
        if self.rng.random() < 0.4:
            flow.columns(2, 160, height=55.0 * len(self.company.segments))
        for name in self.company.segments:
            flow.heading(name, 3)
            self._tell(
                voice.statement(
                    name if voice.zh else f"{name} {voice.low(voice.label('revenue'))}",
                    "revenue",
                    now,
                    before,
                    now.segments[name],
                    before.segments[name],
                )
            )
            if self.rng.random() < 0.4:
                self._fill("strategy", 1)
        flow.columns(1, 170)
        if self.rng.random() < 0.6:
            self._chart("segment_profit", self.exhibits.segment_profit())

    def _regions(self) -> None:
        flow, voice = self.flow, self.voice
        now, before = self.exhibits.book(), self.exhibits.book(1)
        count = self.rng.choice([1, 1, 2])
        flow.columns(count, height=290 if count == 2 else None)
        flow.heading(voice.label("h_regions"), 2)
        region = self.rng.choice(self.company.regions)
        self._tell(
            voice.statement(
                f"{region}{voice.label('revenue')}" if voice.zh else f"{voice.label('revenue')} in {region}",
                "revenue",
                now,
                before,
                now.regions[region],
                before.regions[region],
            )
        )
        self._chart("revenue_by_region", self.exhibits.regions_chart())
        if not self._table("t_regions", self.exhibits.regions()):
            flow.columns(1)
            self._table("t_regions", self.exhibits.regions())

    def _costs(self) -> None:
        flow, voice = self.flow, self.voice
        now, before = self.exhibits.book(), self.exhibits.book(1)
        flow.columns(1, 150)
        flow.heading(voice.label("h_costs"), self.rng.choice([1, 2]))
        for key in ("research", "selling", "admin"):
            self._tell(voice.statement(voice.label(key), "expense", now, before, now.income[key], before.income[key]))
        self._table("t_expenses", self.exhibits.expenses())
        if self.rng.random() < 0.45:
            # Two charts side by side, as reports like to show them.
            flow.columns(2, height=250)
            height = self.rng.uniform(135, 165)
            self._chart("margins", self.exhibits.margins(), height)
            flow.next_column()
            self._chart("segment_share", self.exhibits.segment_share(), height)
        else:
            self._chart("margins", self.exhibits.margins())
            if self.rng.random() < 0.6:
                self._chart("bridge", self.exhibits.bridge())
        flow.columns(1, 160)
        if self.rng.random() < 0.6:
            self._table("t_kpis", self.exhibits.indicators())

    def _liquidity(self) -> None:
        flow, voice = self.flow, self.voice
        now, before = self.exhibits.book(), self.exhibits.book(1)
        flow.columns(1, 150)
        flow.heading(voice.label("h_liquidity"))
        self._tell(
            voice.statement(
                voice.label("cash_operating"), "cash", now, before, now.cash["operating"], before.cash["operating"]
            )
        )
        self._tell(
            voice.statement(voice.label("capex"), "capex", now, before, -now.cash["capex"], -before.cash["capex"])
        )
        if self.rng.random() < 0.7:
            self._chart("cash_history", self.exhibits.cash_history())
        self._table("t_obligations", self.exhibits.obligations())
        if self.rng.random() < 0.3:
            flow.photo(self.rng.uniform(90, 150), self.rng.randrange(3))

    def _statements(self, scanned: bool) -> None:
        flow = self.flow
        which: list[tuple[str, Callable[[], TableSpec]]] = [
            ("t_income", self.exhibits.income_statement),
            ("t_balance", self.exhibits.balance_sheet),
            ("t_cash", self.exhibits.cash_flows),
        ]
        flow.new_page(scanned=scanned)
        flow.heading(self.voice.label("h_statements"))
        for key, make in which:
            spec = make()
            self._table(key, self.exhibits.with_notes(spec) if self.notes_column else spec)
            if scanned:
                scanned = False
                flow.new_page()

    def _prose(self, kind: str, heading: str, columns: int) -> None:
        flow = self.flow
        count = {"notes": 8, "risk": 6, "strategy": 4}.get(kind, 3)
        each = 20.0 if self.voice.zh else 36.0
        flow.columns(columns, height=50.0 + each * count if columns == 2 else None)
        flow.heading(self.voice.label(heading), self.rng.choice([1, 2]))
        bullets = kind == "risk" and self.rng.random() < 0.5
        self._fill(kind, min(count, len(self.phrases.fillers[kind])), bullet="•" if bullets else "")

    def _audit(self) -> None:
        flow = self.flow
        flow.new_page(scanned=True)
        flow.heading(self.voice.label("h_audit"))
        self._fill("audit", 4)
        if self.rng.random() < 0.6:
            self._chart("revenue_history", self.exhibits.revenue_history())

    # ------------------------------------------------------------------ parts

    def _fill(self, kind: str, count: int, bullet: str = "") -> None:
        for _ in range(count):
            self.flow.paragraph(self.voice.fill(self.voice.pick(self.phrases.fillers[kind])), bullet=bullet)

    def _tell(self, statement: Statement | None) -> None:
        if statement is None:
            return
        text = statement.text
        if self.rng.random() < 0.5:
            extra = self.voice.fill(self.voice.pick(self.phrases.fillers["strategy"] + self.phrases.fillers["people"]))
            text = f"{text}{'' if self.voice.zh else ' '}{extra}"
        self.flow.paragraph(text, statement=(statement.subject, statement.cause, statement.rises, statement.text))

    def _numbered(self, kind: str, text: str) -> str:
        self._numbers[kind] += 1
        form = self.figure_format if kind == "figure" else self.table_format
        return form.format(n=self._numbers[kind], t=text)

    def _chart(self, key: str, spec: ChartSpec, height: float = 0.0) -> None:
        look, rng = self.look, self.rng
        text = self.voice.caption(key, self.year - 4, self.year)
        inside = self.inside_titles
        wide = self.flow.column_count == 1
        height = height or (rng.uniform(140, 200) if wide else rng.uniform(130, 165))
        share = rng.choice([1.0, 1.0, 0.8, 0.62]) if wide and spec.kind not in ("waterfall", "combo") else 1.0
        note = self.voice.fill(self.voice.pick(self.phrases.source_notes)) if look.notes else ""
        caption = Caption("" if inside else self._numbered("figure", text), note)
        self.flow.chart(
            spec, caption, height, raster=rng.random() < self.raster_share, title=text if inside else "", share=share
        )

    def _table(self, key: str, spec: TableSpec) -> bool:
        text = self.voice.caption(key, self.year - 4, self.year)
        caption = self._numbered("table", text)
        alternatives: tuple[str, ...] = ()
        if self.look.unit_place == "caption" and spec.unit:
            alternatives = (caption,)
            caption = f"{caption}（{spec.unit}）" if self.voice.zh else f"{caption} ({spec.unit})"
        note = ""
        if self.footnotes and spec.scale != 1 and self.rng.random() < 0.3:
            note = self.voice.label("footnote")
            spec = self.exhibits.with_footnote(spec)
        placed = self.flow.table(spec, Caption(caption, note, alternatives=alternatives))
        if not placed:
            self._numbers["table"] -= 1
        return placed

    def pdf(self) -> bytes:
        """Return the report as a PDF; drafts of scanned pages are turned as their pictures are."""
        return bind(self.flow.pages, f"{self.company.name}: {self.title}", self.company.name, self.rng)
