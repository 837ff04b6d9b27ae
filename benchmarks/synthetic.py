"""What parser and generators make of synthetic reports whose truth is known.

* ``synthetic.figures``: share of true charts and tables found, at IoU >= .8 with the box or one of its alternatives,
  with the right kind. Figures on scanned pages are counted apart as ``synthetic.scan.figures``.
* ``synthetic.figures.false``: share of what is put out that has IoU >= .5 with no true figure (cards with one number
  are neither).
* ``synthetic.cells``: share of the cells of all true tables, heading and stub included, that are exactly equal after
  white space is made single; cells of tables that were not found count. Rows and columns are matched by their labels,
  so that one lost row is one lost row.
* ``synthetic.captions``: share of true figures whose caption is equal.
* ``synthetic.questions``: share of questions with a program whose answer, recomputed from the TRUE cells that the
  evidence's labels name, is the answer given, scale included. Evidence that truth does not know makes a question wrong.
* ``synthetic.explanations``: share of questions about causes whose answer is the true cause of that subject.
* ``synthetic.units``: share of found tables whose scale and currency are right; ``synthetic.meta``: share of company,
  year and language right.

    python benchmarks/synthetic.py [--reports N] [--seed S] [--parser NAME] [--ocr NAME] [--show DIR]
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import cast

from finlmm_core.domain import Box, Document, Figure, QAPair, QuestionType, Table
from finlmm_core.plugins.bases import Generator, OcrEngine, Parser
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.quantities import parse_number
from finlmm_core.quantities.periods import find_periods
from finlmm_core.quantities.programs import ProgramError, evaluate_program, round_half_up
from finlmm_core.store.images import ImageStore
from finlmm_core.synth import Truth, make_reports
from finlmm_core.synth.truth import TruthFigure, TruthReport, TruthTable

FOUND, PAIRED = 0.8, 0.5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--reports", type=int, default=20, help="number of reports")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--parser", default="pdfium")
    arguments.add_argument("--ocr", default="rapidocr", help="OCR engine, or 'none'")
    arguments.add_argument("--generators", default="tables,passages", help="names with commas; '' for none")
    arguments.add_argument("--processes", type=int, default=1)
    arguments.add_argument("--folder", type=Path, help="reports made before with `finlmm synth`, instead of new ones")
    arguments.add_argument("--show", type=Path, help="write pages with misses, truth and outputs drawn, and misses.txt")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary) / "reports"
        if chosen.folder is None:
            make_reports(folder, chosen.reports, chosen.seed)
        truth = Truth.load(folder)
        judge = partial(
            judge_report,
            folder=folder,
            parser=chosen.parser,
            ocr=chosen.ocr,
            generators=[name for name in chosen.generators.split(",") if name],
            show=chosen.show,
        )
        if chosen.processes > 1:
            with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
                judged = list(pool.map(judge, truth.reports))
        else:
            judged = [judge(report) for report in truth.reports]
    tally: Counter[str] = Counter()
    notes: list[str] = []
    for counted, said in judged:
        tally.update(counted)
        notes.extend(said)
    if chosen.show:
        (chosen.show / "misses.txt").write_text("\n".join(notes) + "\n", encoding="utf-8")
    for name in (
        "figures",
        "figures.charts.vector",
        "figures.charts.raster",
        "figures.tables",
        "scan.figures",
        "figures.false",
        "cells",
        "cells.header",
        "scan.cells",
        "captions",
        "questions",
        "explanations",
        "units",
        "row_groups",
        "meta",
    ):
        whole = tally[f"{name}/n"]
        value = round(tally[name] / whole, 4) if whole else None
        print(json.dumps({"what": f"synthetic.{name}", "value": value, "unit": "share", "n": whole}))
    print(json.dumps({"what": "synthetic.questions.unjudged", "value": tally["unjudged"], "unit": "questions",
                      "n": tally["questions/n"] + tally["explanations/n"] + tally["unjudged"]}))  # fmt: skip


# ------------------------------------------------------------------------------------------------- one report


def judge_report(
    report: TruthReport, folder: Path, parser: str, ocr: str, generators: list[str], show: Path | None
) -> tuple[Counter[str], list[str]]:
    """Parse one report, generate its questions, and return counts ('name' right out of 'name/n') and what is wrong."""
    plugins = Plugins.load()
    engine = None if ocr == "none" else cast(OcrEngine, plugins.create("ocr", PluginRef(name=ocr)))
    with tempfile.TemporaryDirectory() as temporary:
        reader = cast(Parser, plugins.create("parser", PluginRef(name=parser)))
        document = reader.parse(folder / report.file, ImageStore(Path(temporary)), engine)
    judge = Judge(report, document)
    judge.figures()
    judge.tables()
    judge.meta()
    for name in generators:
        if name in plugins.names("generator"):
            generator = cast(Generator, plugins.create("generator", PluginRef(name=name)))
            for item in generator.generate(document):
                if isinstance(item, QAPair):
                    judge.question(item)
    if show is not None:
        draw(show, folder, judge)
    return judge.tally, judge.notes


class Judge:
    """Compares one parsed document with the truth about it."""

    def __init__(self, report: TruthReport, document: Document) -> None:
        self.report, self.document = report, document
        self.tally: Counter[str] = Counter()
        self.notes: list[str] = []
        self.bad_pages: set[int] = set()
        self.tables_by_figure = {table.figure_id: table for table in document.tables}
        self.pairs = self._pair()

    def count(self, name: str, right: bool) -> None:
        self.tally[f"{name}/n"] += 1
        self.tally[name] += int(right)

    def note(self, page: int, text: str) -> None:
        self.bad_pages.add(page)
        self.notes.append(f"{self.report.file} p{page}: {text}")

    def _pair(self) -> dict[str, Figure]:
        """Return for each true figure the output that overlaps it best; an output serves one figure only."""
        ranked = sorted(
            (
                (-_overlap(true, figure), i, j)
                for i, true in enumerate(self.report.figures)
                for j, figure in enumerate(self.document.figures)
                if figure.page == true.page and _overlap(true, figure) >= PAIRED
            )
        )
        pairs: dict[str, Figure] = {}
        taken: set[int] = set()
        for _, i, j in ranked:
            if self.report.figures[i].id not in pairs and j not in taken:
                pairs[self.report.figures[i].id] = self.document.figures[j]
                taken.add(j)
        return pairs

    # --------------------------------------------------------------------------------------------- figures

    def figures(self) -> None:
        """Count figures found, outputs that hit nothing, and captions."""
        scanned = {page.number for page in self.report.pages if page.scanned}
        for true in self.report.figures:
            figure = self.pairs.get(true.id)
            share = _overlap(true, figure) if figure else 0.0
            right = figure is not None and share >= FOUND and figure.kind == true.kind
            kind = "tables" if true.kind == "table" else f"charts.{true.source}"
            if true.source == "scan":
                self.count("scan.figures", right)
            else:
                self.count("figures", right)
                self.count(f"figures.{kind}", right)
            if not right:
                got = f"{figure.kind} at IoU {share:.2f}" if figure else "nothing"
                self.note(true.page, f"{true.source} {true.chart_type or 'table'} {_show(true.box)}: got {got}")
            if true.source != "scan":
                self._caption(true, figure)
        for figure in self.document.figures:
            if figure.page in scanned:
                continue
            if any(
                item.page == figure.page and item.kind == "callout" and figure.box.overlap(item.box) > 0
                for item in self.report.noise
            ) and not any(_overlap(t, figure) >= PAIRED for t in self.report.figures_on(figure.page)):
                continue
            false = not any(_overlap(true, figure) >= PAIRED for true in self.report.figures_on(figure.page))
            self.count("figures.false", false)
            if false:
                self.note(figure.page, f"false {figure.kind} {_show(figure.box)}")

    def _caption(self, true: TruthFigure, figure: Figure | None) -> None:
        fair = {self.plain(text) for text in (true.caption, *true.alt_captions)}
        right = figure is not None and self.plain(figure.caption) in fair
        self.count("captions", right)
        if figure is not None and not right:
            self.note(true.page, f"caption of {true.id}: {figure.caption!r} instead of {true.caption!r}")

    def plain(self, text: str) -> str:
        """Return text with single spaces; without any in Chinese, where spaces are the printer's choice."""
        single = re.sub(r"\s+", " ", text).strip()
        return single.replace(" ", "") if self.report.language == "zh" else single

    # --------------------------------------------------------------------------------------------- tables

    def tables(self) -> None:
        """Count cells, units and row groups."""
        for true in self.report.figures:
            if true.table is None:
                continue
            figure = self.pairs.get(true.id)
            table = self.tables_by_figure.get(figure.id) if figure else None
            prefix = "scan." if true.source == "scan" else ""
            found = self._align(true.table, table)
            wrong = []
            for i, row in enumerate([true.table.header, *true.table.rows]):
                for j, text in enumerate(row):
                    got = found.get((i - 1, j))
                    right = got is not None and self.plain(got) == self.plain(text)
                    self.count(f"{prefix}cells", right)
                    if i == 0 and not prefix:
                        self.count("cells.header", right)
                    if not right:
                        wrong.append(f"[{i - 1},{j}] {got!r} instead of {text!r}")
            if wrong and not prefix:
                head = f"table {true.id}: {len(wrong)} cells wrong" if table else f"table {true.id}: no cells"
                self.note(true.page, f"{head}: {'; '.join(wrong[:4])}")
            if table is not None and not prefix:
                fair = (true.table.currency,) if true.table.currency_printed else (true.table.currency, None)
                right = table.scale == true.table.scale and table.currency in fair
                self.count("units", right)
                if not right:
                    got, said = table, true.table
                    self.note(
                        true.page,
                        f"units of {true.id}: {got.scale} {got.currency} {got.unit!r} instead of {said.scale} "
                        f"{said.currency} {said.unit!r}",
                    )
                groups = {row[0]: group for row, group in zip(table.rows, table.row_groups, strict=False)}
                for row, group in zip(true.table.rows, true.table.row_groups, strict=True):
                    if group:
                        right = self.plain(groups.get(row[0], "")) == self.plain(group)
                        self.count("row_groups", right)
                        if not right:
                            self.note(
                                true.page, f"row group of {row[0]!r}: {groups.get(row[0])!r} instead of {group!r}"
                            )

    def _align(self, true: TruthTable, table: Table | None) -> dict[tuple[int, int], str]:
        """Return the parsed text of true cells (row -1 is the header), rows and columns matched by their labels."""
        if table is None:
            return {}
        groups = {self.plain(group) for group in true.row_groups}
        rows = [
            row
            for row in table.rows
            # A section label kept as a row of its own is the same reading of the page.
            if any(cell for cell in row[1:]) or self.plain(row[0]) not in groups
        ]
        row_of = _matched([self.plain(r[0]) for r in true.rows], [self.plain(r[0]) for r in rows if r])
        columns = [self._column(table.header, rows, j) for j in range(len(table.header))]
        true_columns = [self._column(true.header, true.rows, j) for j in range(len(true.header))]
        if len(columns) == len(true_columns):
            column_of = {j: j for j in range(len(columns))}
        else:
            column_of = {0: 0, **{j + 1: k + 1 for j, k in _matched(true_columns[1:], columns[1:]).items()}}
        found = {}
        for j, k in column_of.items():
            found[-1, j] = table.header[k]
            for i, at in row_of.items():
                found[i, j] = rows[at][k]
        return found

    def _column(self, header: Sequence[str], rows: Sequence[Sequence[str]], j: int) -> str:
        return self.plain(header[j] + "|" + "|".join(row[j] for row in rows[:3]))

    # --------------------------------------------------------------------------------------------- meta

    def meta(self) -> None:
        """Count company, year and language."""
        meta = self.document.meta
        company = _letters(meta.company or "")
        full = _letters(self.report.company)
        right = bool(company) and (company == full or (full.startswith(company) and len(company) >= 0.6 * len(full)))
        self.count("meta", right)
        self.count("meta", meta.year == self.report.year)
        self.count("meta", meta.language == self.report.language)
        if not right or meta.year != self.report.year or meta.language != self.report.language:
            self.note(1, f"meta {meta.company!r} {meta.year} {meta.language} instead of {self.report.company!r} "
                         f"{self.report.year} {self.report.language}")  # fmt: skip

    # --------------------------------------------------------------------------------------------- questions

    def question(self, pair: QAPair) -> None:
        """Recompute one question from the truth."""
        if pair.program is None:
            if pair.type is not QuestionType.FINANCIAL_EXPLANATION:
                self.tally["unjudged"] += 1
                return
            self._explanation(pair)
            return
        problem = self._recompute(pair)
        self.count("questions", not problem)
        if problem:
            page = pair.evidence[0].page if pair.evidence else 1
            self.note(page, f"question {pair.template} {pair.question!r} answer {pair.answer.text!r}: {problem}")

    def _recompute(self, pair: QAPair) -> str:
        """Return why the answer is wrong, '' where it is right."""
        true = next(
            (t for t in self.report.figures if t.id in self.pairs and self.pairs[t.id].id == pair.source_figure), None
        )
        if true is None:
            return "its figure is no true figure"
        values: dict[str, Decimal] = {}
        per_share = False
        for item in pair.evidence:
            if true.table is not None:
                cells = self._true_cells(true.table, item.labels)
            else:
                cells = self._true_points(true, item.labels)
            texts = {text for _, text in cells}
            if len(texts) != 1:
                return f"labels {item.labels} name {len(texts)} true cells"
            number = parse_number(texts.pop())
            if number is None:
                return f"labels {item.labels} name a cell without a number"
            values[item.name] = number.value
            label = true.table.rows[cells[0][0]][0].lower() if true.table else ""
            per_share = per_share or "per share" in label or "每股" in label
        try:
            exact = evaluate_program(pair.program or "", values)
        except ProgramError as error:
            return str(error)
        answer = pair.answer
        if answer.unit == "label":
            rows = list(dict.fromkeys(item.labels[0] for item in pair.evidence))
            places = [item.labels[:1] + item.labels[2:] for item in pair.evidence] if len(rows) > 1 else None
            # The program counts rows, or where there is but one row, the columns.
            chosen = (
                next(place for place in places if place[0] == rows[int(exact) - 1])
                if places
                else (pair.evidence[int(exact) - 1].labels[1],)
            )
            named = {_letters(chosen[0]), _letters(f"{chosen[0]} {chosen[-1]}")}
            periods = {period.key for text in chosen for period in find_periods(text)}
            right = _letters(answer.text) in named or any(p.key in periods for p in find_periods(answer.text))
            return "" if right else f"truth says {chosen}"
        if answer.value is None:
            return "no value"
        expected = round_half_up(exact, answer.decimals or 0)
        if Decimal(repr(answer.value)) != expected:
            return f"truth gives {expected}"
        money = answer.unit not in ("percent", "percentage_points", "ratio", "count", "label")
        # A chart prints its unit at the axis: the unit of all money in its report.
        money_table = true.table or next(t.table for t in self.report.figures if t.table and t.table.currency)
        scale = 1 if per_share else money_table.scale
        if money and answer.scale != scale:
            return f"truth has scale {scale}, the answer {answer.scale}"
        if money and money_table.currency and answer.unit not in (money_table.currency, "amount"):
            return f"truth has {money_table.currency}, the answer {answer.unit}"
        return ""

    def _true_points(self, true: TruthFigure, labels: Sequence[str]) -> list[tuple[int, str]]:
        """Return the printed numbers of a chart that series name and category name; a lone series needs no name."""
        said = {_letters(label) for label in labels}
        return [
            (i, text)
            for i, series in enumerate(true.series)
            for category, text in zip(series.categories, series.labels, strict=False)
            if _letters(category) in said and (len(true.series) == 1 or _letters(series.name) in said)
        ]

    def _true_cells(self, table: TruthTable, labels: Sequence[str]) -> list[tuple[int, str]]:
        """Return the cells that a row label and a column heading name, in either order, sections considered."""
        first, second = _letters(labels[0]), _letters(labels[1])
        group = _letters(labels[2]) if len(labels) > 2 else ""
        found = []
        for i, row in enumerate(table.rows):
            section = _letters(table.row_groups[i])
            # A footnote's number and a unit are no part of the name.
            label = re.sub(r"\s*[(（](\d|[^()（）]*[元股人%][^()（）]*)[)）]$", "", re.sub(r"\s*\(\d\)$", "", row[0]))
            names = {_letters(name) for name in (label, row[0])}
            names |= {_letters(f"{name} ({table.row_groups[i]})") for name in (label, row[0])}
            for j in range(1, len(row)):
                heading = _letters(table.header[j])
                straight = first in names and second == heading and (not group or group == section)
                turned = second in names and first == heading
                if straight or turned:
                    found.append((i, row[j]))
        if not found and group:
            return self._true_cells(table, labels[:2])
        return found

    def _explanation(self, pair: QAPair) -> None:
        answer = _letters(pair.answer.text)
        pages = {item.page for item in pair.evidence}
        asked = _letters(f"{pair.question} {pair.description}")
        matching = [
            s
            for s in self.report.statements
            if (_spoken(s.cause) in answer or answer in _spoken(s.cause)) and (not pages or s.page in pages)
        ]
        right = any(_letters(s.subject) in asked for s in matching)
        self.count("explanations", right)
        if not right:
            page = min(pages) if pages else 1
            said = [s.subject for s in matching]
            self.note(page, f"explanation {pair.question!r} answer {pair.answer.text!r}: true subjects {said}")


# ------------------------------------------------------------------------------------------------- helpers


def _overlap(true: TruthFigure, figure: Figure) -> float:
    return max(box.iou(figure.box) for box in (true.box, *true.alt_boxes))


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _spoken(cause: str) -> str:
    """Return a cause as somebody else tells it: what the report calls ours is the company's."""
    return _letters(re.sub(r"\bour\b", "the company's", cause))


def _matched(wanted: Sequence[str], given: Sequence[str]) -> dict[int, int]:
    """Return which given item stands for which wanted one: equal ones first, those left over between them in order."""
    result: dict[int, int] = {}
    matcher = difflib.SequenceMatcher(a=wanted, b=given, autojunk=False)
    for tag, i0, i1, j0, j1 in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and i1 - i0 == j1 - j0):
            result.update(zip(range(i0, i1), range(j0, j1), strict=True))
    return result


def _show(box: Box) -> str:
    return "[" + " ".join(f"{side:.0f}" for side in box) + "]"


def draw(folder: Path, reports: Path, judge: Judge, scale: float = 1.4) -> None:
    """Write the pages with misses: truth in green, outputs in red (charts), blue (tables) and magenta (pictures)."""
    import pypdfium2
    from PIL import ImageDraw

    folder.mkdir(parents=True, exist_ok=True)
    pdf = pypdfium2.PdfDocument(reports / judge.report.file)
    colours = {"chart": "red", "table": "blue", "image": "magenta"}
    for number in sorted(judge.bad_pages):
        picture = pdf[number - 1].render(scale=scale).to_pil().convert("RGB")
        pen = ImageDraw.Draw(picture)
        for true in judge.report.figures_on(number):
            pen.rectangle([side * scale for side in true.box], outline="green", width=3)
        for figure in judge.document.figures:
            if figure.page == number:
                pen.rectangle([side * scale for side in figure.box], outline=colours[figure.kind], width=1)
                table = judge.tables_by_figure.get(figure.id)
                for row in table.cell_boxes if table else ():
                    for box in row:
                        if box:
                            pen.rectangle([side * scale for side in box], outline="orange")
        picture.save(folder / f"{judge.report.file.removesuffix('.pdf')}_p{number}.png")
    pdf.close()


if __name__ == "__main__":
    main()
