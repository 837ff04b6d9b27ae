"""Synthetic reports are what their truth says they are."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from finlmm_core.domain import Box
from finlmm_core.errors import FinlmmError, MissingExtraError
from finlmm_core.quantities import parse_number
from finlmm_core.synth import Truth, make_reports
from finlmm_core.synth.truth import TruthReport

SEED = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic")
    make_reports(out, 6, SEED, chinese=0.4)
    return out


@pytest.fixture(scope="module")
def reports(folder: Path) -> tuple[TruthReport, ...]:
    return Truth.load(folder).reports


def pages_of(folder: Path, report: TruthReport) -> pypdfium2.PdfDocument:
    return pypdfium2.PdfDocument(folder / report.file)


def ink(page: pypdfium2.PdfPage, scale: float = 1.5) -> np.ndarray:
    """Return where the page differs from white, (height, width), ``scale`` pixels a point."""
    return np.asarray(page.render(scale=scale).to_pil().convert("L")) < 251


def part(pixels: np.ndarray, box: Box, scale: float = 1.5) -> np.ndarray:
    x0, y0, x1, y1 = (max(0, round(side * scale)) for side in box)
    return pixels[y0:y1, x0:x1]


def test_another_process_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from finlmm_core.synth import make_reports; "
        f"make_reports(Path(sys.argv[1]), 2, {SEED}, chinese=0.4)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    made = sorted(tmp_path.glob("*.pdf"))
    assert len(made) == 2
    for path in made:
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_a_smaller_set_is_the_beginning_of_a_larger_one_and_another_seed_is_another_set(
    reports: tuple[TruthReport, ...], tmp_path: Path
) -> None:
    make_reports(tmp_path / "other", 1, SEED + 1)
    other = Truth.load(tmp_path / "other").reports[0]
    assert other.company not in {report.company for report in reports}


def test_another_set_in_the_same_folder_replaces_the_first_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.pdf").write_bytes(b"%PDF-")
    make_reports(tmp_path, 1, SEED + 1)
    make_reports(tmp_path, 1, SEED + 2)
    written = {report.file for report in Truth.load(tmp_path).reports}
    assert {path.name for path in tmp_path.glob("*.pdf")} == written | {"mine.pdf"}


def test_there_are_both_languages_all_sources_and_a_company_in_more_than_one_year(
    reports: tuple[TruthReport, ...],
) -> None:
    assert {report.language for report in reports} == {"en", "zh"}
    assert {figure.source for report in reports for figure in report.figures} == {"vector", "raster", "scan"}
    companies = [report.company for report in reports]
    assert len(set(companies)) < len(companies)
    assert len({report.sha256 for report in reports}) == len(reports)


def test_charts_are_paths_with_text_and_pictures_are_pictures(folder: Path, reports: tuple[TruthReport, ...]) -> None:
    for report in reports[:4]:
        pdf = pages_of(folder, report)
        for figure in report.figures:
            if figure.kind != "chart" or figure.source == "scan":
                continue
            page = pdf[figure.page - 1]
            height = page.get_height()
            inside = page.get_textpage().get_text_bounded(
                figure.box.x0, height - figure.box.y1, figure.box.x1, height - figure.box.y0
            )
            assert bool(inside.strip()) == (figure.source == "vector")
        pdf.close()


def test_boxes_of_figures_hold_ink_up_to_their_edges(folder: Path, reports: tuple[TruthReport, ...]) -> None:
    slack = 2.5  # points
    for report in reports:
        pdf = pages_of(folder, report)
        scanned = {page.number for page in report.pages if page.scanned}
        for number in sorted({figure.page for figure in report.figures} - scanned):
            pixels = ink(pdf[number - 1])
            for figure in report.figures_on(number):
                box = figure.box
                for edge in (
                    Box(box.x0 - slack, box.y0, box.x0 + slack, box.y1),
                    Box(box.x1 - slack, box.y0, box.x1 + slack, box.y1),
                    Box(box.x0, box.y0 - slack, box.x1, box.y0 + slack),
                    Box(box.x0, box.y1 - slack, box.x1, box.y1 + slack),
                ):
                    assert part(pixels, edge).any(), (report.file, figure.id, edge)
        pdf.close()


def test_figures_of_a_page_do_not_overlap(reports: tuple[TruthReport, ...]) -> None:
    for report in reports:
        for page in report.pages:
            boxes = [figure.box for figure in report.figures_on(page.number)]
            for index, box in enumerate(boxes):
                assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page.width and box.y1 <= page.height
                assert all(box.overlap(other) == 0 for other in boxes[index + 1 :]), (report.file, page.number)


def test_cells_stand_in_the_text_layer_where_truth_says(folder: Path, reports: tuple[TruthReport, ...]) -> None:
    for report in reports[:6]:
        pdf = pages_of(folder, report)
        for figure in report.figures:
            if figure.table is None or figure.source == "scan":
                continue
            page = pdf[figure.page - 1]
            text = page.get_textpage()
            height = page.get_height()
            for row, boxes in zip(figure.table.rows, figure.table.cell_boxes, strict=True):
                for cell, box in zip(row, boxes, strict=True):
                    assert bool(cell) == (box is not None)
                    if box is not None:
                        found = text.get_text_bounded(box.x0 - 1, height - box.y1 - 1, box.x1 + 1, height - box.y0 + 1)
                        assert "".join(cell.split()) in "".join(found.split()), (report.file, cell)
        pdf.close()


def test_balance_sheets_balance(reports: tuple[TruthReport, ...]) -> None:
    ends = ("total liabilities and", "total equity and", "负债和所有者权益总计", "负债及股东权益总计")
    checked = 0
    for report in reports:
        for figure in report.figures:
            rows = {row[0].lower(): row[1:] for row in figure.table.rows} if figure.table else {}
            both = [cells for label, cells in rows.items() if label.startswith(ends)]
            assets = [cells for label, cells in rows.items() if label in ("total assets", "资产总计", "资产合计")]
            if both and assets:
                assert both == assets
                checked += 1
    assert checked == len(reports)


def test_segments_and_regions_sum_to_the_total_line(reports: tuple[TruthReport, ...]) -> None:
    checked = 0
    for report in reports:
        for figure in report.figures:
            table = figure.table
            if table is None or len(table.header) != 5 or table.rows[-1][0] not in ("Total", "合计"):
                continue
            for column in (1, 2):
                numbers = [parse_number(row[column]) for row in table.rows]
                values = [number.value if number else 0 for number in numbers]
                assert sum(values[:-1]) == values[-1]
                checked += 1
    assert checked > len(reports)


def test_prose_says_what_the_books_say(reports: tuple[TruthReport, ...]) -> None:
    for report in reports:
        assert len(report.statements) >= 6
        for statement in report.statements:
            assert statement.cause in statement.text
            assert any(statement.text in block.text for block in report.blocks if block.page == statement.page)


def test_chinese_glyphs_leave_ink(folder: Path, reports: tuple[TruthReport, ...]) -> None:
    report = next(report for report in reports if report.language == "zh")
    pdf = pages_of(folder, report)
    pictures: dict[int, np.ndarray] = {}
    looked = 0
    for block in report.blocks:
        page = report.pages[block.page - 1]
        if block.kind != "paragraph" or page.scanned:
            continue
        if block.page not in pictures:
            pictures[block.page] = ink(pdf[block.page - 1])
        pixels = part(pictures[block.page], block.box)
        # A missing glyph leaves white or an empty box: real characters cover an eighth and more of their squares.
        assert pixels.mean() > 0.08
        looked += 1
    text = pdf[1].get_textpage().get_text_bounded()
    assert any("\u4e00" <= char <= "\u9fff" for char in text)
    assert looked > 5
    pdf.close()


def test_scanned_pages_are_pictures_without_text(folder: Path, reports: tuple[TruthReport, ...]) -> None:
    seen = 0
    for report in reports:
        pdf = pages_of(folder, report)
        for page in report.pages:
            count = pdf[page.number - 1].get_textpage().count_chars()
            assert (count == 0) == page.scanned
            seen += page.scanned
        pdf.close()
    assert seen


def test_noise_is_told_and_repeats(reports: tuple[TruthReport, ...]) -> None:
    kinds = {item.kind for report in reports for item in report.noise}
    assert {"logo", "photo", "decoration", "callout", "page_number", "running_head"} <= kinds


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "reportlab" else find(name))
    with pytest.raises(MissingExtraError, match=r"finlmm\[synth\]"):
        make_reports(tmp_path / "none", 1)
    assert not (tmp_path / "none").exists()


def test_bad_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FinlmmError, match="Cannot make 0 reports"):
        make_reports(tmp_path / "none", 0)
    with pytest.raises(FinlmmError, match=r"no truth\.json"):
        Truth.load(tmp_path)
