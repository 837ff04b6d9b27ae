"""CPU time of parsing a page, against the least that reading its text costs.

``parse.ratio`` is the CPU time of the ``pdfium`` parser (text, tables, charts, pictures, crops rendered, encoded and
stored; no OCR) over that of pypdfium2 extracting text only, over all pages of all reports. Both are run in turns, one
report each, so that a busy machine slows both; with ``--rounds`` above one the least time of each report counts.
docling-parse (text only) and the ``pdfminer`` parser are printed beside it, over the reports of at most ``--pages``
pages (they are slow), with the ratio to the text of the same reports.

Crops go to one store for all reports, as in a run; it is removed when all times are taken.

    python benchmarks/parse_speed.py --reports DIR
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import cast

from finlmm_core.errors import DocumentError
from finlmm_core.plugins.bases import Parser
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.store.images import ImageStore


def text_only(pdf: Path) -> int:
    """Extract the text of all pages with pypdfium2; return the number of pages."""
    import pypdfium2

    with pypdfium2.PdfDocument(pdf) as document:
        for page in document:
            text = page.get_textpage()
            text.get_text_range()
            text.close()
            page.close()
        return len(document)


def docling_text(pdf: Path) -> int:
    """Extract the text of all pages with docling-parse; return the number of pages."""
    from docling_parse.pdf_parser import DoclingPdfParser

    document = DoclingPdfParser(loglevel="fatal").load(str(pdf))
    return sum(1 for _ in document.iterate_pages())


def parser(name: str, store: Path) -> Callable[[Path], int]:
    """Return a function that parses a report into a store and returns the number of pages."""
    plugin = cast(Parser, Plugins.load().create("parser", PluginRef(name=name)))
    return lambda pdf: len(plugin.parse(pdf, ImageStore(store), None).pages)


def docling_missing() -> str:
    """Return why docling-parse cannot be used, "" where it can."""
    try:
        from docling_parse.pdf_parser import DoclingPdfParser  # noqa: F401
    except ImportError as error:
        return str(error)
    return ""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--reports", type=Path, required=True)
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--only", nargs="*", choices=["pdfminer", "docling"], help="what is printed beside it")
    arguments.add_argument("--pages", type=int, default=100, help="longer reports are not read by what is beside it")
    chosen = arguments.parse_args()
    beside = ["pdfminer", "docling"] if chosen.only is None else chosen.only
    if "docling" in beside and (missing := docling_missing()):
        print(f"docling-parse is left out: {missing}", file=sys.stderr)
        beside.remove("docling")
    with tempfile.TemporaryDirectory() as folder:
        measure(sorted(chosen.reports.glob("*.pdf")), beside, chosen.rounds, chosen.pages, Path(folder))


def measure(reports: list[Path], beside: list[str], rounds: int, most_pages: int, folder: Path) -> None:
    """Time all ways and print the measurements; crops go below the folder, one store a round and parser."""

    def ways(store: Path) -> dict[str, Callable[[Path], int]]:
        found: dict[str, Callable[[Path], int]] = {"text": text_only, "pdfium": parser("pdfium", store / "pdfium")}
        if "docling" in beside:
            found["docling"] = docling_text
        if "pdfminer" in beside:
            found["pdfminer"] = parser("pdfminer", store / "pdfminer")
        return found

    for way in ways(folder / "first").values():  # imports and first calls are not what is measured
        way(min(reports, key=lambda path: path.stat().st_size))
    seconds: dict[str, dict[Path, float]] = defaultdict(dict)
    pages: dict[Path, int] = {}
    for round_number in range(rounds):
        for report in reports:
            for name, way in ways(folder / str(round_number)).items():
                if name not in ("text", "pdfium") and (round_number or pages[report] > most_pages):
                    continue
                start = time.process_time()
                try:
                    count = way(report)
                except DocumentError as error:
                    print(f"{report.name}: {name}: {error}", file=sys.stderr)
                    continue
                spent = time.process_time() - start
                pages[report] = max(pages.get(report, 0), count)
                seconds[name][report] = min(spent, seconds[name].get(report, spent))
    labels = {"text": "pypdfium2, text only", "pdfium": "pdfium parser", "docling": "docling-parse, text only"}
    for name, by_report in seconds.items():
        total = sum(pages[report] for report in by_report)
        spent = sum(by_report.values())
        text = sum(seconds["text"][report] for report in by_report)
        if name != "text":
            line("parse.ratio" if name == "pdfium" else f"parse.ratio.{name}", spent / text, "ratio", total)
        line(f"parse.milliseconds_a_page.{name}", 1000 * spent / total, "ms CPU", total, labels.get(name, name))


def line(what: str, value: float, unit: str, n: int, note: str = "") -> None:
    """Print one measurement."""
    print(json.dumps({"what": what, "value": round(value, 3), "unit": unit, "n": n} | ({"note": note} if note else {})))


if __name__ == "__main__":
    main()
