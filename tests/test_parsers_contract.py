"""Both built-in parsers pass the contract of parsers, and tell the same of real pages."""

from __future__ import annotations

import json
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
from finlmm_ocr.rapidocr import RapidOcrEngine
from finlmm_parsers.options import LayoutOptions
from finlmm_parsers.pdfium import PdfiumParser
from finlmm_parsers.pdfminer import PdfminerParser

from finlmm_core.domain import Document
from finlmm_core.plugins.bases import OcrEngine
from finlmm_core.store.images import ImageStore
from finlmm_core.testing.parsers import ParserContract


@lru_cache(maxsize=1)
def rapidocr() -> OcrEngine:
    """Return the default engine, its models loaded once."""
    return RapidOcrEngine()


class TestPdfium(ParserContract):
    make_parser = PdfiumParser
    make_ocr = staticmethod(rapidocr)


class TestPdfminer(ParserContract):
    make_parser = PdfminerParser
    make_ocr = staticmethod(rapidocr)


#: A statement, a chart page and a Chinese page of the real reports.
REAL_PAGES = {
    "3m_2018_10k.pdf": (60,),
    "pew_2019_economy.pdf": (7,),
    "smic_broker_research_zh.pdf": (5, 12),
    "intel_2020_10k.pdf": (6,),
}


@pytest.fixture(scope="module")
def real_documents(shared_reports: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Document, ...]]:
    images = ImageStore(tmp_path_factory.mktemp("images"))
    both = {}
    for name, pages in REAL_PAGES.items():
        options = LayoutOptions(only_pages=pages)
        parsers = PdfiumParser(options), PdfminerParser(options)
        both[name] = tuple(parser.parse(shared_reports / name, images, None) for parser in parsers)
    return both


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(REAL_PAGES))
def test_both_parsers_read_the_same_words_of_real_pages(
    name: str, real_documents: dict[str, tuple[Document, ...]]
) -> None:
    one, other = (
        [word for page in document.pages for block in page.blocks for word in block.text.split()]
        for document in real_documents[name]
    )
    assert len(one) > 30
    shared = sum((_counted(one) & _counted(other)).values())
    assert shared >= 0.9 * max(len(one), len(other))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(REAL_PAGES))
def test_both_parsers_find_the_same_figures_on_real_pages(
    name: str, real_documents: dict[str, tuple[Document, ...]]
) -> None:
    one, other = (document.figures for document in real_documents[name])
    assert one
    assert [(figure.page, figure.kind) for figure in one] == [(figure.page, figure.kind) for figure in other]
    assert all(a.box.iou(b.box) > 0.8 for a, b in zip(one, other, strict=True))


def test_a_real_cash_flow_statement_has_its_numbers_in_their_cells(
    real_documents: dict[str, tuple[Document, ...]],
) -> None:
    for document in real_documents["3m_2018_10k.pdf"]:
        table = next(table for table in document.tables if len(table.rows) > 20)
        row = next(row for row in table.rows if row[0].startswith("Purchases of property, plant and equipment"))
        assert [cell.strip("()$ ") for cell in row[1:]] == ["1,577", "1,373", "1,420"]
        assert table.scale == 1_000_000


@pytest.mark.slow
def test_a_deck_of_page_pictures_gives_charts_and_not_whole_pages(shared_data: Path, tmp_path: Path) -> None:
    labels = [json.loads(line) for line in (shared_data / "regions.jsonl").read_text(encoding="utf-8").splitlines()]
    scans = [page for page in labels if any(r["source"] == "scan" and r["kind"] == "chart" for r in page["regions"])]
    for page in scans:
        parser = PdfiumParser(LayoutOptions(only_pages=(page["page"],)))
        document = parser.parse(shared_data / "reports" / page["file"], ImageStore(tmp_path), rapidocr())
        assert document.pages[0].text_source == "ocr"
        for figure in document.figures:
            assert figure.box.area < 0.7 * page["width"] * page["height"], "the whole page is no figure"
            assert figure.text_source == "ocr"


def _counted(words: list[str]) -> Counter[str]:
    return Counter(words)
