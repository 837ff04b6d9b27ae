"""What is known for certain about synthetic reports: the schema of ``truth.json`` and its loader.

``truth.json`` stands beside the PDFs and holds one ``Truth``. Boxes are PDF points with the origin in the top left
corner of the page as shown, tight around the ink; pages are counted from 1. Tables follow the contract of
``finlmm_core.domain.Table``: flattened headings, column 0 is the stub, section labels are row groups and not rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from finlmm_core.domain import BlockKind, Box, Frozen, Language
from finlmm_core.errors import FinlmmError

#: Raise it whenever a field changes its meaning.
TRUTH_VERSION = 1

FigureSource = Literal["vector", "raster", "scan"]
ChartType = Literal["bar", "hbar", "grouped", "stacked", "line", "area", "pie", "donut", "combo", "waterfall"]
NoiseKind = Literal["logo", "photo", "decoration", "callout", "running_head", "page_number", "contents"]


class TruthSeries(Frozen):
    """One series of a chart: ``values[i]`` belongs to ``categories[i]``."""

    name: str
    categories: tuple[str, ...]
    values: tuple[float, ...] = Field(description="in the chart's printed unit")
    labels: tuple[str, ...] = Field(default=(), description="data labels as printed, empty where the chart has none")


class TruthTable(Frozen):
    """The cells of a table, shaped as ``finlmm_core.domain.Table`` asks."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    header_boxes: tuple[Box | None, ...] = Field(description="around the column's own heading lines, spanning included")
    cell_boxes: tuple[tuple[Box | None, ...], ...] = Field(description="same shape as rows; None where empty")
    row_groups: tuple[str, ...] = Field(
        description="for each row the section it stands under; '' where none, for the section's total, and below it"
    )
    unit: str = Field(default="", description="as printed, without brackets; '' where the table states none")
    scale: int = 1
    currency: str | None = Field(default=None, description="ISO 4217")
    currency_printed: bool = Field(default=True, description="whether the table itself tells its currency")


class TruthFigure(Frozen):
    """A chart or a table that a parser should find."""

    id: str = Field(description="unique within the report, such as 'p3-2'")
    page: int
    kind: Literal["chart", "table"]
    box: Box
    alt_boxes: tuple[Box, ...] = Field(default=(), description="other fair extents: with caption, with picture margins")
    source: FigureSource
    caption: str = Field(default="", description="the caption outside the figure; '' where there is none")
    alt_captions: tuple[str, ...] = Field(default=(), description="other fair captions, such as a title drawn inside")
    caption_box: Box | None = None
    title: str = Field(default="", description="title drawn inside the figure")
    chart_type: ChartType | None = None
    series: tuple[TruthSeries, ...] = ()
    unit: str = Field(default="", description="unit that the chart prints")
    table: TruthTable | None = None


class TruthNoise(Frozen):
    """Something on a page that is no figure. ``callout`` (a card with one number) is neither figure nor mistake."""

    page: int
    kind: NoiseKind
    box: Box


class TruthStatement(Frozen):
    """A causal statement of the prose: what moved, and why."""

    page: int
    subject: str
    cause: str
    text: str = Field(description="the whole sentence as printed")
    rises: bool


class TruthBlock(Frozen):
    """A run of prose on a page: paragraph, heading, caption or note. Running heads are noise, not blocks."""

    page: int
    kind: BlockKind
    box: Box
    text: str


class TruthPage(Frozen):
    """One page; ``scanned`` pages are one picture and have no text layer."""

    number: int
    width: float
    height: float
    scanned: bool = False
    columns: int = 1


class TruthReport(Frozen):
    """One report."""

    file: str = Field(description="name of the PDF, beside truth.json")
    sha256: str
    company: str
    year: int
    language: Language
    title: str
    pages: tuple[TruthPage, ...]
    figures: tuple[TruthFigure, ...]
    noise: tuple[TruthNoise, ...]
    statements: tuple[TruthStatement, ...]
    blocks: tuple[TruthBlock, ...]

    def figures_on(self, page: int) -> list[TruthFigure]:
        """Return the figures of one page in the order in which they were drawn."""
        return [figure for figure in self.figures if figure.page == page]


class Truth(Frozen):
    """Everything about one folder of synthetic reports."""

    version: int = TRUTH_VERSION
    seed: int
    reports: tuple[TruthReport, ...]

    @classmethod
    def load(cls, folder: Path) -> Truth:
        """Read ``truth.json`` of a folder that ``make_reports`` wrote.

        Raises:
            FinlmmError: the folder has no truth.json.
        """
        path = folder / "truth.json" if folder.is_dir() else folder
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise FinlmmError(
                f"There is no truth.json in {folder}.", hint="Make synthetic reports with: finlmm synth OUT"
            ) from None
        return cls.model_validate_json(text)
