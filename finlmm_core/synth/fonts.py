"""Fonts of synthetic reports: the PDF base fonts, what matplotlib ships, and Noto SC for Chinese.

reportlab embeds TrueType outlines only. The Chinese fonts (package ``pylopdf-fonts-zh-cn``, SIL Open Font License) have
PostScript outlines, so those glyphs that the Chinese phrases use are cut out and converted, once a process.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import io
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from finlmm_core.errors import MissingExtraError


class FontFamily(NamedTuple):
    """Names under which reportlab knows a family, and what matplotlib calls it."""

    regular: str
    bold: str
    plot: str  # family that matplotlib draws rasters with, '' for the Chinese font file


LATIN_FAMILIES = (
    FontFamily("Helvetica", "Helvetica-Bold", "DejaVu Sans"),
    FontFamily("Times-Roman", "Times-Bold", "DejaVu Serif"),
    FontFamily("DejaVuSans", "DejaVuSans-Bold", "DejaVu Sans"),
    FontFamily("DejaVuSerif", "DejaVuSerif-Bold", "DejaVu Serif"),
    FontFamily("Vera", "VeraBd", "DejaVu Sans"),
)
CHINESE_SANS = FontFamily("NotoSansSC", "NotoSansSC", "")
CHINESE_SERIF = FontFamily("NotoSerifSC", "NotoSansSC", "")


def require_libraries() -> None:
    """Raise MissingExtraError where reportlab, matplotlib or the Chinese fonts are missing."""
    for library in ("reportlab", "matplotlib", "fontTools", "pylopdf_fonts_zh_cn"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError("Making synthetic reports", library, "synth")


@lru_cache(maxsize=200_000)
def text_width(text: str, font: str, size: float) -> float:
    """Return the width in points that reportlab gives a line of text."""
    from reportlab.pdfbase import pdfmetrics

    return float(pdfmetrics.stringWidth(text, font, size))


@lru_cache(maxsize=1)
def register_latin() -> None:
    """Make the Latin families known to reportlab."""
    import matplotlib
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for name in ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Bold"):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    for name in ("Vera", "VeraBd"):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))


def _to_truetype(source: Path, characters: str, family: str) -> bytes:
    """Return a TrueType font with the glyphs for these characters only, from a font with PostScript outlines."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from fontTools.ttLib import TTFont

    font = TTFont(source, lazy=True)
    unit = font["head"].unitsPerEm
    best = font.getBestCmap()
    glyphs = font.getGlyphSet()
    names = [".notdef"]
    cmap: dict[int, str] = {}
    for char in sorted(set(characters)):
        name = best.get(ord(char))
        if name is not None:
            cmap[ord(char)] = name
            if name not in names:
                names.append(name)
    outlines, metrics = {}, {}
    for name in names:
        pen = TTGlyphPen(None)
        # Curves may differ by a thousandth of the em: invisible at any size that is printed.
        glyphs[name].draw(Cu2QuPen(pen, unit / 1000, reverse_direction=True))
        outlines[name] = pen.glyph()
        metrics[name] = (round(glyphs[name].width), 0)
    builder = FontBuilder(unit, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(cmap)
    builder.setupGlyf(outlines)
    table = builder.font["glyf"]
    builder.setupHorizontalMetrics(
        {name: (width, table[name].xMin if table[name].numberOfContours else 0) for name, (width, _) in metrics.items()}
    )
    builder.setupHorizontalHeader(ascent=round(0.88 * unit), descent=-round(0.12 * unit))
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")})
    builder.setupOS2(
        sTypoAscender=round(0.88 * unit),
        sTypoDescender=-round(0.12 * unit),
        sTypoLineGap=0,
        usWinAscent=round(0.9 * unit),
        usWinDescent=round(0.2 * unit),
    )
    builder.setupPost()
    # No clock in the file: the same characters must give the same bytes.
    builder.font["head"].created = builder.font["head"].modified = 3_600_000_000
    builder.font.recalcTimestamp = False
    buffer = io.BytesIO()
    builder.save(buffer)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def register_chinese() -> str:
    """Make the Chinese families known to reportlab; return the path of a font file for matplotlib.

    Both hold the characters of the Chinese phrases and ASCII. The file lives as long as the process.
    """
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    from finlmm_core.synth import phrases_zh

    phrases = Path(phrases_zh.__file__).read_text(encoding="utf-8")
    characters = phrases + "".join(chr(code) for code in range(32, 127)) + "—–−·£€％（）：；，。、“”《》"
    folder = Path(str(importlib.resources.files("pylopdf_fonts_zh_cn")))
    for name in ("NotoSansSC", "NotoSerifSC"):
        data = _to_truetype(folder / f"{name}-Regular.otf", characters, name)
        pdfmetrics.registerFont(TTFont(name, io.BytesIO(data)))
        (Path(_scratch().name) / f"{name}.ttf").write_bytes(data)
    return str(Path(_scratch().name) / "NotoSansSC.ttf")


@lru_cache(maxsize=1)
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for font files, removed when the process ends: matplotlib reads fonts from files only."""
    return tempfile.TemporaryDirectory(prefix="finlmm-synth-")
