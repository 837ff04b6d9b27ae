"""Figure regions on labelled pages: recall of charts and tables, and the share of what is put out that is false.

Labels are one JSON object a page: file, page (from 1), regions with kind (chart, table, image, ignore), box, source
(vector, raster, scan), difficult, and optionally alt_boxes, picture_box, group_box; boxes in points, origin top left.

* A chart or table is found when one figure of the parser has IoU >= .7 with its box, one of its alt_boxes or its
  picture_box. Regions marked difficult are left out; those of source scan are counted apart.
* A figure that is put out is a hit when it has IoU >= .5 with a chart, table or image (difficult ones included), its
  alternatives or its group_box; otherwise it is false, also where it lies on an ignore region or beside every label.

    python benchmarks/regions.py --reports DIR --labels FILE [--show DIR]
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, cast

from finlmm_core.domain import Box, Document
from finlmm_core.plugins.bases import OcrEngine, Parser
from finlmm_core.store.images import ImageStore

FOUND, HIT = 0.7, 0.5
COLOURS = {"chart": "red", "table": "blue", "image": "magenta", "ignore": "grey"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--reports", type=Path, required=True)
    arguments.add_argument("--labels", type=Path, required=True)
    arguments.add_argument("--parser", default="pdfium")
    arguments.add_argument(
        "--ocr", default="rapidocr", help="OCR engine, or 'none': pictures are then judged by colour"
    )
    arguments.add_argument("--show", type=Path, help="write labelled pages with labels and outputs drawn")
    arguments.add_argument("--only", default="", help="part of a file's name")
    chosen = arguments.parse_args()
    pages = [json.loads(line) for line in chosen.labels.read_text(encoding="utf-8").splitlines() if line.strip()]
    by_file: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for page in pages:
        if chosen.only in page["file"]:
            by_file[page["file"]].append(page)
    tally: Counter[str] = Counter()
    for file, labelled in sorted(by_file.items()):
        document = parse_pages(chosen.reports / file, [page["page"] for page in labelled], chosen.parser, chosen.ocr)
        for page in labelled:
            misses = score_page(page, document, tally)
            if chosen.show:
                show(chosen.show, chosen.reports / file, page, document, misses)
    for what, part, whole in (
        ("regions.chart.recall", "chart.found", "chart"),
        ("regions.table.recall", "table.found", "table"),
        ("regions.scan.recall", "scan.found", "scan"),
        ("regions.false", "false", "outputs"),
        ("regions.chart.recall.right_kind", "chart.right_kind", "chart"),
        ("regions.false.chart", "false.chart", "outputs.chart"),
        ("regions.false.table", "false.table", "outputs.table"),
        ("regions.false.image", "false.image", "outputs.image"),
    ):
        value = tally[part] / tally[whole] if tally[whole] else None
        print(json.dumps({"what": what, "value": value and round(value, 4), "unit": "share", "n": tally[whole]}))


def parse_pages(pdf: Path, numbers: list[int], parser: str, ocr: str) -> Document:
    """Parse some pages of a report in the way the whole is parsed; facts across pages (logos) come from all pages."""
    from finlmm_core.plugins.manager import Plugins
    from finlmm_core.plugins.refs import PluginRef

    plugins = Plugins.load()
    engine = None if ocr == "none" else cast(OcrEngine, plugins.create("ocr", PluginRef(name=ocr)))
    folder = Path(tempfile.mkdtemp())
    try:
        reader = cast(Parser, plugins.create("parser", PluginRef(name=parser, options={"only_pages": numbers})))
        return reader.parse(pdf, ImageStore(folder), engine)
    finally:
        shutil.rmtree(folder)


def score_page(page: dict[str, Any], document: Document, tally: Counter[str]) -> list[str]:
    """Add a page's counts to the tally; return what was missed and what was false, for a person to read."""
    outputs = [figure for figure in document.figures if figure.page == page["page"]]
    notes: list[str] = []
    for region in page["regions"]:
        if region["kind"] not in ("chart", "table") or region["difficult"]:
            continue
        name = "scan" if region.get("source") == "scan" else region["kind"]
        fair = fair_boxes(region)
        best = max(((box.iou(figure.box), figure.kind) for box in fair for figure in outputs), default=(0.0, ""))
        tally[name] += 1
        if best[0] >= FOUND:
            tally[f"{name}.found"] += 1
            tally[f"{name}.right_kind"] += best[1] == region["kind"]
        else:
            notes.append(f"missed {region['kind']} {region.get('source')} {region['box']} best {best[0]:.2f} {best[1]}")
    targets = [
        box
        for region in page["regions"]
        if region["kind"] != "ignore"
        for box in (*fair_boxes(region), *([Box(*region["group_box"])] if region.get("group_box") else []))
    ]
    for figure in outputs:
        tally["outputs"] += 1
        tally[f"outputs.{figure.kind}"] += 1
        if not any(box.iou(figure.box) >= HIT for box in targets):
            tally["false"] += 1
            tally[f"false.{figure.kind}"] += 1
            notes.append(f"false {figure.kind} {[round(v) for v in figure.box]}")
    return notes


def fair_boxes(region: dict[str, Any]) -> list[Box]:
    """Return a label's box and its other fair extents."""
    boxes = [region["box"], *region.get("alt_boxes", [])]
    if region.get("picture_box"):
        boxes.append(region["picture_box"])
    return [Box(*box) for box in boxes]


def show(folder: Path, pdf: Path, page: dict[str, Any], document: Document, notes: list[str]) -> None:
    """Write the page with labels (thin) and outputs (thick) drawn."""
    import pypdfium2
    from PIL import ImageDraw

    folder.mkdir(parents=True, exist_ok=True)
    with pypdfium2.PdfDocument(pdf) as opened:
        image = opened[page["page"] - 1].render(scale=1.25).to_pil().convert("RGB")
    draw = ImageDraw.Draw(image)
    for region in page["regions"]:
        draw.rectangle([1.25 * value for value in region["box"]], outline=COLOURS[region["kind"]], width=1)
    for figure in document.figures:
        if figure.page == page["page"]:
            box = [1.25 * value for value in figure.box]
            draw.rectangle(box, outline=COLOURS[figure.kind], width=4)
            draw.text((box[0] + 5, box[1] + 5), f"{figure.kind}: {figure.caption[:60]}", fill="black")
    image.save(folder / f"{pdf.stem}_{page['page']:03d}.png")
    for note in notes:
        print(f"# {pdf.stem} page {page['page']}: {note}")


if __name__ == "__main__":
    main()
