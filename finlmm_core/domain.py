"""The objects that flow through finlmm, from a PDF page to a training sample.

All of them are frozen and closed (an unknown field is an error). Identifiers are hashes of content, so the same
input gives the same identifier on every machine. Lengths are PDF points (1/72 inch), the origin is the top left
corner of the page as it is shown (rotation applied), and pages are counted from 1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from enum import Enum
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["en", "zh"]
FigureKind = Literal["chart", "table", "image"]
BlockKind = Literal["heading", "paragraph", "list_item", "caption", "note"]
TextSource = Literal["layer", "ocr", "none"]
Split = Literal["train", "validation", "test"]


def content_id(*parts: object) -> str:
    """Return 24 hexadecimal characters that depend on nothing but the given JSON-serialisable parts."""
    encoded = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(encoded.encode()).hexdigest()[:24]


class Frozen(BaseModel):
    """A closed, immutable record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Box(NamedTuple):
    """A rectangle in PDF points, origin top left of the shown page; stored in JSON as ``[x0, y0, x1, y1]``."""

    x0: float
    y0: float
    x1: float
    y1: float

    @classmethod
    def around(cls, boxes: Iterable[Box]) -> Box:
        """Return the smallest box that holds all the given boxes (at least one)."""
        listed = list(boxes)
        if not listed:
            raise ValueError("Box.around needs at least one box")
        lefts, tops, rights, bottoms = zip(*listed, strict=True)
        return cls(min(lefts), min(tops), max(rights), max(bottoms))

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)

    def overlap(self, other: Box) -> float:
        """Return the area, in square points, that both boxes cover."""
        x0, y0, x1, y1 = self
        left, top, right, bottom = other
        if left >= x1 or right <= x0 or top >= y1 or bottom <= y0:  # nearly all pairs that are asked about
            return 0.0
        width = (x1 if x1 < right else right) - (x0 if x0 > left else left)
        height = (y1 if y1 < bottom else bottom) - (y0 if y0 > top else top)
        return width * height if width > 0 and height > 0 else 0.0

    def iou(self, other: Box) -> float:
        """Return intersection over union, 0 to 1."""
        shared = self.overlap(other)
        return shared / (self.area + other.area - shared) if shared else 0.0

    def covers(self, other: Box) -> float:
        """Return the share of the other box that lies in this one, 0 to 1."""
        shared = self.overlap(other)
        return shared / other.area if shared else 0.0

    def grown(self, by: float) -> Box:
        """Return the box with every side moved out by so many points."""
        return Box(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def rounded(self) -> Box:
        """Return the box to a hundredth of a point, which is how boxes are stored."""
        x0, y0, x1, y1 = self
        return tuple.__new__(Box, (round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2)))  # asked for every line


class ImageRef(Frozen):
    """An image in the content-addressed store."""

    sha256: str = Field(description="SHA-256 of the encoded file, 64 hexadecimal characters")
    width: int = Field(description="pixels")
    height: int = Field(description="pixels")
    format: Literal["png", "jpeg", "webp"] = Field(default="png", description="encoding, also the file's ending")


class Rejected(Frozen):
    """Something that a filter dropped: which step, which item, the filter's name, and what it saw."""

    step: str
    item_id: str = Field(description="document, figure or question; for a dropped page region 'page:x0,y0,x1,y1'")
    reason: str = Field(description="short stable name that reports count by, such as 'repeated_logo'")
    detail: str = ""


# --------------------------------------------------------------------------------------------------- documents


class Block(Frozen):
    """A run of text that a reader takes as one: a paragraph, a heading, a list item, a caption, a note."""

    box: Box
    text: str
    kind: BlockKind = "paragraph"


class Page(Frozen):
    """One page: its size in points and its blocks in reading order (table cells and chart labels are not blocks)."""

    number: int = Field(description="counted from 1")
    width: float
    height: float
    blocks: tuple[Block, ...] = ()
    text_source: TextSource = "layer"


class Figure(Frozen):
    """A chart, a table or an informative image on a page, with its crop."""

    id: str
    page: int = Field(description="counted from 1")
    box: Box
    kind: FigureKind
    caption: str = ""
    caption_box: Box | None = None
    text: str = Field(default="", description="what is written inside, in reading order, a line of the figure a line")
    text_source: TextSource = "none"
    image: ImageRef | None = Field(default=None, description="the crop; None only where no image store was given")


class Table(Frozen):
    """The cells of a figure of kind table, or the values that a figure of kind chart prints.

    Of a chart the rows are series and the columns periods where it has periods, else the rows are its categories; the
    cells hold the values as printed at its bars, sectors or points.

    ``rows[i][j]`` is the text of body row i in column j, ``""`` where empty. Column 0 is the stub (row labels).
    ``header[j]`` is the whole heading of column j, spanning headings included, outermost first, joined by a space
    (``"Year Ended December 31, 2021"``). All rows have ``len(header)`` cells. Currency signs and percent signs that
    stand in cells of their own are part of the number's cell (``"$ 1,944"``, ``"12.5 %"``).
    """

    figure_id: str
    title: str = Field(default="", description="caption or heading that names the table")
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    cell_boxes: tuple[tuple[Box | None, ...], ...] = Field(description="same shape as rows; None where empty")
    header_boxes: tuple[Box | None, ...] = ()
    row_groups: tuple[str, ...] = Field(
        default=(), description="for each row the section label above it ('Costs and expenses:'), '' where none"
    )
    unit: str | None = Field(default=None, description="as printed, such as 'in millions, except per share data'")
    scale: int = Field(default=1, description="what the figures are to be multiplied by: 1, 1000, 10000, 1000000 ...")
    currency: str | None = Field(default=None, description="ISO 4217 code, such as USD or CNY")


class DocumentMeta(Frozen):
    """What the report tells of itself; None where it does not."""

    company: str | None = None
    year: int | None = Field(default=None, description="fiscal year that the report is about")
    language: Language | None = None
    title: str | None = None


class Document(Frozen):
    """A parsed report. ``id`` is the SHA-256 of the file."""

    id: str
    source: str = Field(description="path of the file relative to the input folder")
    pages: tuple[Page, ...]
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    meta: DocumentMeta = DocumentMeta()
    rejected: tuple[Rejected, ...] = Field(default=(), description="what cleaning dropped; kept in a file beside")

    def figure(self, figure_id: str) -> Figure:
        """Return the figure with this id; KeyError where there is none."""
        for figure in self.figures:
            if figure.id == figure_id:
                return figure
        raise KeyError(figure_id)


# --------------------------------------------------------------------------------------------------- questions


class QuestionType(str, Enum):
    """The paper's four question types."""

    ARITHMETIC_REASONING = "arithmetic_reasoning"
    STATISTICS_REASONING = "statistics_reasoning"
    FINANCIAL_EXPLANATION = "financial_explanation"
    FINANCIAL_KNOWLEDGE = "financial_knowledge"


class Evidence(Frozen):
    """One piece of the report that an answer rests on: a table cell or a span of prose.

    ``name`` is the variable that the program uses. ``labels`` are the words that lead to the value (row label, column
    heading, section, term); for a span they are the key phrases in it.
    """

    name: str
    text: str = Field(description="exactly as printed")
    value: float | None = Field(default=None, description="the printed number as read, before the table's scale")
    labels: tuple[str, ...] = ()
    page: int
    box: Box | None = None


class Answer(Frozen):
    """The right answer, as shown and as a number where it is one."""

    text: str = Field(description="as a reader would write it, unit included: '12.5%', '$1,944 million', '2021'")
    option: int = Field(description="index into the question's options")
    value: float | None = Field(default=None, description="in the printed unit; percent in percent points")
    unit: str | None = Field(default=None, description="'percent', 'percentage_points', 'ratio', 'count', a currency")
    scale: int = Field(default=1, description="multiply value by this for the plain amount")
    decimals: int | None = Field(default=None, description="decimals that the question asks for")

    @property
    def letter(self) -> str:
        """The option's letter, A for the first."""
        return "ABCDEFGHIJ"[self.option]


class QAPair(Frozen):
    """A question made from the report's text alone.

    ``source_figure`` is recorded where the generator knows it, for measuring only; aligners never see it.
    """

    id: str
    document_id: str
    type: QuestionType
    language: Language
    question: str
    options: tuple[str, ...]
    answer: Answer
    evidence: tuple[Evidence, ...]
    program: str | None = Field(default=None, description="over the evidence names, e.g. '(a - b) / b * 100'")
    description: str = Field(default="", description="what the figure meant would show (the paper's chart_info)")
    context: str = Field(default="", description="passage or table as text that suffices to answer (stage 1)")
    template: str = Field(default="", description="which template and wording made it, e.g. 'growth/2'")
    generator: str
    source_figure: str | None = None


# --------------------------------------------------------------------------------------------------- alignment


class Query(Frozen):
    """What an aligner may know of a question: words, never pages, boxes or figure ids."""

    qa_id: str
    question: str
    answer: str = ""
    options: tuple[str, ...] = ()
    description: str = ""
    labels: tuple[str, ...] = Field(default=(), description="row labels, terms, series names of the evidence")
    numbers: tuple[str, ...] = Field(default=(), description="numbers of the evidence as printed")
    periods: tuple[str, ...] = Field(default=(), description="years, quarters and dates of the evidence as printed")
    language: Language = "en"


class Signal(Frozen):
    """One aligner's view of one candidate figure: a score in 0..1 and the parts that it was made of."""

    figure_id: str
    score: float
    parts: dict[str, float] = {}


class Alignment(Frozen):
    """A question and the one figure that it is about."""

    qa_id: str
    figure_id: str
    score: float = Field(description="combined score of the chain, 0 to 1")
    margin: float = Field(description="combined score minus that of the next best figure")
    signals: dict[str, float] = Field(default={}, description="'aligner' -> score, 'aligner.part' -> part")


# --------------------------------------------------------------------------------------------------- samples


class Sample(Frozen):
    """A training sample: text only (``images`` empty) or multi-image contrastive.

    ``gold_images`` are 0-based indices into ``images``. ``evidence`` and ``program`` are how the answer came about:
    worked solutions and measurements read them, prompts and rewards do not.
    """

    id: str
    type: QuestionType
    language: Language
    question: str
    options: tuple[str, ...]
    answer: Answer
    images: tuple[ImageRef, ...] = ()
    gold_images: tuple[int, ...] = ()
    tiers: tuple[str, ...] = Field(
        default=(),
        description="where each image was drawn from: 'gold', 'random', 'same_report' ...",
    )
    context: str = ""
    evidence: tuple[Evidence, ...] = ()
    program: str | None = None
    qa_id: str
    document_id: str
    split: Split


# --------------------------------------------------------------------------------------------------- rewards


class RewardContext(Frozen):
    """One completion to be scored, with what a reward may know of it.

    ``group_id`` is the same for all completions of one prompt in one step and for no others.
    """

    sample: Sample
    completion: str = Field(description="the text that the model wrote, special tokens left out")
    group_id: str
    stage: str = Field(default="", description="name of the training stage; '' outside of training")
    step: int = Field(default=0, description="optimizer steps done before")
    token_ids: tuple[int, ...] = Field(default=(), description="the completion's tokens where they are known")
    truncated: bool = Field(default=False, description="ended by the length limit, not by the model")


class Score(Frozen):
    """What a reward says of one completion; ``value`` None means that it cannot judge, never 0 or 1."""

    value: float | None
    parts: dict[str, float] = Field(default={}, description="named components, logged as metrics beside the value")
    reason: str = Field(default="", description="short stable name of why, such as 'no_answer', 'unparsable_gold'")


# --------------------------------------------------------------------------------------------------- model calls


class Sampling(Frozen):
    """How completions are drawn."""

    max_new_tokens: int = Field(default=512, ge=1, description="tokens of a completion, at most")
    temperature: float = Field(default=0.0, ge=0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0, le=1, description="nucleus; 1 is off")
    top_k: int = Field(default=0, ge=0, description="most likely tokens kept; 0 is off")
    n: int = Field(default=1, ge=1, description="completions of each prompt")
    seed: int | None = Field(default=None, description="the same seed gives the same completions, where a backend can")


class Completion(Frozen):
    """What a model wrote for a prompt."""

    text: str
    token_ids: tuple[int, ...] = Field(default=(), description="() where the backend does not tell")
    truncated: bool = Field(default=False, description="ended by the length limit, not by the model")
    prompt_tokens: int = Field(default=0, description="images included; 0 where the backend does not tell")
    failed: str = Field(
        default="",
        description="why there is no completion ('timeout after 4 tries: ...'), where others of the call went well",
    )
