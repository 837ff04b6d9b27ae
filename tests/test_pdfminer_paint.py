"""What pdfminer.six leaves to its caller: clips, transparency, spot colours, forms, paths of many rectangles.

Each page is read with pdfium too: both must tell the same.
"""

from __future__ import annotations

from pathlib import Path

import bad_pdfs
import pytest
from finlmm_parsers.extract_pdfium import PdfiumFile
from finlmm_parsers.extract_pdfminer import PdfminerFile
from finlmm_parsers.primitives import PagePrimitives

SPOT = b"/Separation /Brand /DeviceRGB << /FunctionType 2 /Domain [0 1] /C0 [1 1 1] /C1 [0 0.2 0.6] /N 1 >>"
RESOURCES = (
    b"/Font << /F1 5 0 R >> /XObject << /Fm 6 0 R >> /ColorSpace << /Spot [%s] >> "
    b"/ExtGState << /Glass << /ca 0 /CA 0 >> /Solid << /ca 1 /CA 1 >> >>" % SPOT
)
FORM = bad_pdfs.stream(
    b"1 0 0 rg 0 0 10 10 re f 0 20 500 10 re f",
    b"/Type /XObject /Subtype /Form /BBox [0 0 40 40] /Matrix [2 0 0 2 100 100]",
)


def both(tmp_path: Path, content: bytes) -> tuple[PagePrimitives, PagePrimitives]:
    """Read a page of this content with both libraries."""
    path = tmp_path / "page.pdf"
    path.write_bytes(bad_pdfs.page_with(content, [FORM], RESOURCES))
    with PdfiumFile(path) as one, PdfminerFile(path, 10) as other:
        return one.page(1), other.page(1)


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"0 0 1 rg 100 100 200 300 re f", 1),
        (b"q 100 100 50 50 re W n 0 0 1 rg 100 100 200 300 re f Q 1 0 0 rg 10 10 20 20 re f", 2),
        (b"q /Glass gs 0 0 1 rg 100 100 200 300 re f Q 1 0 0 rg 10 10 20 20 re f", 1),
        (b"/Glass gs /Solid gs 0 0 1 rg 100 100 200 300 re f", 1),
        (b"/Spot cs 1 scn 100 100 200 300 re f", 1),
        (b"0 0.5 0 rg 100 100 20 80 re 140 100 20 120 re 180 100 20 60 re f", 3),
        (b"0 0.5 0 RG 2 w 100 100 m 300 250 l S", 1),
        (b"0.5 g 100 100 m 200 100 l 200 200 l h f", 1),
        (b"0 0 0.5 rg 100 100 m 150 200 200 200 250 100 c h f", 1),
        (b"0 0 0.5 rg 100 100 m 200 100 l 200 155 155 200 100 200 c h f", 1),
        (b"q 0 1 -1 0 500 100 cm 0 0 1 rg 10 20 200 30 re f Q", 1),
        (b"/Fm Do 0 0 1 rg 300 300 50 50 re f", 3),
    ],
    ids=[
        "plain",
        "clip",
        "glass",
        "glass ends",
        "spot",
        "bars",
        "slanted",
        "triangle",
        "curve",
        "wedge",
        "turned",
        "form",
    ],
)
def test_both_libraries_tell_the_same_of_a_path(tmp_path: Path, content: bytes, count: int) -> None:
    one, other = both(tmp_path, content)
    assert len(one.shapes) == len(other.shapes) == count
    for a, b in zip(one.shapes, other.shapes, strict=True):
        assert max(abs(x - y) for x, y in zip(a[:4], b[:4], strict=True)) < 2.1  # ends of strokes
        assert (a.curved, a.diagonal, a.fill is None, a.stroke is None) == (
            b.curved,
            b.diagonal,
            b.fill is None,
            b.stroke is None,
        )
        for mine, theirs in ((a.fill, b.fill), (a.stroke, b.stroke)):
            if mine is not None and theirs is not None:
                assert all(abs((mine >> s & 255) - (theirs >> s & 255)) <= 2 for s in (0, 8, 16))
        assert abs(a.line_width - b.line_width) < 0.1


def test_both_libraries_tell_the_same_of_words(tmp_path: Path) -> None:
    content = (
        bad_pdfs.TEXT + b" BT /F1 9 Tf 3 Tc 72 600 Td (ANNUAL REPORT) Tj ET BT 0 1 -1 0 50 300 Tm /F1 9 Tf (Axis) Tj ET"
    )
    one, other = both(tmp_path, content)
    assert [word.text for word in one.words][:7] == [word.text for word in other.words][:7]
    turned = [next(word for word in page.words if word.text == "Axis") for page in (one, other)]
    assert not turned[0].upright and not turned[1].upright
    assert max(abs(x - y) for x, y in zip(turned[0][1:5], turned[1][1:5], strict=True)) < 3
