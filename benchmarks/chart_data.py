"""How many charts that print their values are read, and how many of the values read are right.

On synthetic reports, whose truth is known. Counted are vector charts outside scanned pages that print a value for each
category of each series.

* ``charts.read``: share of them for which the parser gives a table.
* ``charts.cells``: share of the values in these tables that are exact: category, series and value as printed. Where a
  chart has one series, its name is not held against the truth (charts of one series print none).
* ``charts.invented``: tables given for charts that print no values, or not all of them.
* ``charts.units``: share of the tables read whose scale and currency are those of the printed unit.

    python benchmarks/chart_data.py --reports DIR [--parser NAME] [--show]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import cast

from finlmm_core.domain import Document, Figure, Table
from finlmm_core.plugins.bases import Parser
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.quantities import parse_units
from finlmm_core.store.images import ImageStore
from finlmm_core.synth import Truth
from finlmm_core.synth.truth import TruthFigure, TruthReport

SAME_FIGURE = 0.5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--reports", type=Path, required=True, help="folder made by `finlmm synth`")
    arguments.add_argument("--parser", default="pdfium")
    arguments.add_argument("--show", action="store_true", help="say on standard error what was not read or is wrong")
    chosen = arguments.parse_args()
    tally: Counter[str] = Counter()
    for report in Truth.load(chosen.reports).reports:
        reader = cast(Parser, Plugins.load().create("parser", PluginRef(name=chosen.parser)))
        with tempfile.TemporaryDirectory() as temporary:
            document = reader.parse(chosen.reports / report.file, ImageStore(Path(temporary)), None)
        _judge(report, document, tally, chosen.show)
    for name, unit in (
        ("read", "share of charts"),
        ("cells", "share of values"),
        ("units", "share of charts read"),
    ):
        whole = tally[f"{name}/n"]
        value = round(tally[name] / whole, 4) if whole else None
        print(json.dumps({"what": f"charts.{name}", "value": value, "unit": unit, "n": whole}))
    print(
        json.dumps({"what": "charts.invented", "value": tally["invented"], "unit": "tables", "n": tally["invented/n"]})
    )
    for kind in sorted(name.removeprefix("kind.") for name in tally if name.startswith("kind.") and "/" not in name):
        whole = tally[f"kind.{kind}/n"]
        share = round(tally[f"kind.{kind}"] / whole, 4) if whole else None
        print(json.dumps({"what": f"charts.read.{kind}", "value": share, "unit": "share of charts", "n": whole}))


def _judge(report: TruthReport, document: Document, tally: Counter[str], show: bool) -> None:
    tables = {table.figure_id: table for table in document.tables}
    scanned = {page.number for page in report.pages if page.scanned}
    for true in report.figures:
        if true.kind != "chart" or true.source != "vector" or true.page in scanned:
            continue
        figure = _found(true, document)
        table = tables.get(figure.id) if figure is not None and figure.kind == "chart" else None
        printed = bool(true.series) and all(len(one.labels) == len(one.categories) for one in true.series)
        name = "read" if printed else "invented"
        tally[f"{name}/n"] += 1
        tally[name] += table is not None
        where = f"{report.file} p{true.page} {true.chart_type}"
        if printed:
            tally[f"kind.{true.chart_type}/n"] += 1
            tally[f"kind.{true.chart_type}"] += table is not None
        elif table is not None and show:
            print(f"{where}: a table where no values are printed", file=sys.stderr)
        if printed and table is None and show:
            why = [item.detail for item in document.rejected if item.reason == "chart_values_unclear"]
            print(f"{where}: not read{'' if figure else ', not found'} (page's reasons: {why})", file=sys.stderr)
        if table is None or not printed:
            continue
        wrong = _count_cells(true, table, tally)
        told = parse_units(true.unit)
        right = (table.scale, table.currency) == (told.scale, told.currency)
        tally["units/n"] += 1
        tally["units"] += right
        if show and not right:
            print(f"{where}: unit {table.scale} {table.currency}, true {true.unit!r}", file=sys.stderr)
        if show and wrong:
            print(f"{where}: {wrong}", file=sys.stderr)


def _found(true: TruthFigure, document: Document) -> Figure | None:
    near = [
        (max(figure.box.iou(box) for box in (true.box, *true.alt_boxes)), figure)
        for figure in document.figures
        if figure.page == true.page
    ]
    best = max(near, key=lambda pair: pair[0], default=None)
    return best[1] if best is not None and best[0] >= SAME_FIGURE else None


def _count_cells(true: TruthFigure, table: Table, tally: Counter[str]) -> list[str]:
    alone = len(true.series) == 1
    printed = {
        (_plain(category), "" if alone else _plain(series.name), _plain(label))
        for series in true.series
        for category, label in zip(series.categories, series.labels, strict=True)
    }
    by_row = {
        (_plain(row[0]), "" if alone else _plain(heading), _plain(text))
        for row in table.rows
        for heading, text in zip(table.header[1:], row[1:], strict=True)
        if text
    }
    by_column = {
        (_plain(heading), "" if alone else _plain(row[0]), _plain(text))
        for row in table.rows
        for heading, text in zip(table.header[1:], row[1:], strict=True)
        if text
    }
    read = max((by_row, by_column), key=lambda cells: len(cells & printed))
    tally["cells/n"] += len(read | printed)  # a value left out of a table counts as wrong too
    tally["cells"] += len(read & printed)
    return [f"read {sorted(read - printed)}, printed {sorted(printed - read)}"] if read != printed else []


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text).lower()


if __name__ == "__main__":
    main()
