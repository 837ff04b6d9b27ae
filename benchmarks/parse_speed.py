"""CPU time of parsing a page, against the least that reading its text costs.

``parse.ratio`` is the CPU time of the ``pdfium`` parser (text, tables, charts, pictures, crops rendered, encoded and
stored; no OCR) over that of pypdfium2 extracting text only, over all pages of all reports. Both are run in turns, one
report each, so that a busy machine slows both; with ``--rounds`` above one the least time of each report counts.
docling-parse (text only) and the ``pdfminer`` parser are printed beside it where they are installed.

    python benchmarks/parse_speed.py --reports DIR
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
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


def parser(name: str) -> Callable[[Path], int]:
    """Return a function that parses a report into a store of its own and returns the number of pages."""
    plugin = cast(Parser, Plugins.load().create("parser", PluginRef(name=name)))

    def parse(pdf: Path) -> int:
        folder = Path(tempfile.mkdtemp())
        try:
            return len(plugin.parse(pdf, ImageStore(folder), None).pages)
        finally:
            shutil.rmtree(folder)

    return parse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--reports", type=Path, required=True)
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--only", nargs="*", choices=["pdfminer", "docling"], help="what is printed beside it")
    chosen = arguments.parse_args()
    beside = ["pdfminer", "docling"] if chosen.only is None else chosen.only
    ways: dict[str, Callable[[Path], int]] = {"text": text_only, "pdfium": parser("pdfium")}
    if "docling" in beside and importlib.util.find_spec("docling_parse"):
        ways["docling"] = docling_text
    if "pdfminer" in beside and "pdfminer" in Plugins.load().names("parser"):
        ways["pdfminer"] = parser("pdfminer")
    reports = sorted(chosen.reports.glob("*.pdf"))
    for way in ways.values():  # imports and first calls are not what is measured
        way(min(reports, key=lambda path: path.stat().st_size))
    seconds: dict[str, dict[Path, float]] = defaultdict(dict)
    pages: dict[Path, int] = {}
    for report in reports:
        for round_number in range(chosen.rounds):
            for name, way in ways.items():
                if round_number and name not in ("text", "pdfium"):
                    continue
                start = time.process_time()
                try:
                    count = way(report)
                except DocumentError as error:
                    print(f"# {report.name}: {name}: {error}")
                    continue
                spent = time.process_time() - start
                pages[report] = max(pages.get(report, 0), count)
                seconds[name][report] = min(spent, seconds[name].get(report, spent))
    total = sum(pages.values())
    spent = {name: sum(by_report.values()) for name, by_report in seconds.items()}
    line("parse.ratio", spent["pdfium"] / spent["text"], "ratio", total)
    labels = {"text": "pypdfium2, text only", "pdfium": "pdfium parser", "docling": "docling-parse, text only"}
    for name, value in spent.items():
        line(f"parse.milliseconds_a_page.{name}", 1000 * value / total, "ms CPU", total, labels.get(name, name))
    for name in spent:
        if name not in ("text", "pdfium"):
            line(f"parse.ratio.{name}", spent[name] / spent["text"], "ratio", total)


def line(what: str, value: float, unit: str, n: int, note: str = "") -> None:
    """Print one measurement."""
    print(json.dumps({"what": what, "value": round(value, 3), "unit": unit, "n": n} | ({"note": note} if note else {})))


if __name__ == "__main__":
    main()
