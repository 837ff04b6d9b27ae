"""Aligner ``retrieval``: the figures whose words are nearest to the question's, found with FAISS.

What a figure says is its caption and text; its surroundings (the paragraphs and headings beside it on its page) are
embedded apart and mixed in, so that a page of prose does not drown a chart with ten labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from finlmm_aligners.wording import unified
from finlmm_core.domain import Document, Figure, Page, Query, Signal
from finlmm_core.embed import SentenceEncoder, TfIdfEmbedder, normalised_rows
from finlmm_core.plugins.bases import Aligner, PluginOptions

if TYPE_CHECKING:
    import numpy as np


class RetrievalOptions(PluginOptions):
    """Options of the aligner 'retrieval'."""

    keep: int = Field(default=200, ge=1, description="figures that stay in, nearest first")
    embedder: Literal["tfidf", "sentence"] = Field(
        default="tfidf", description="'tfidf': words and character n-grams; 'sentence': the encoder given by 'model'"
    )
    model: str = Field(
        default="", description="for 'sentence': a local folder or the import name of a package that holds an encoder"
    )
    surroundings: float = Field(
        default=0.3, ge=0, le=1, description="share of the text around a figure in what it says; 0 leaves it out"
    )
    reach: float = Field(default=80.0, ge=0, description="points up and down from a figure that surroundings reach")


class RetrievalAligner(Aligner):
    """Nearest figures by cosine; see the module."""

    name: ClassVar[str] = "retrieval"
    version: ClassVar[str] = "1"
    Options: ClassVar[type[PluginOptions]] = RetrievalOptions
    options: RetrievalOptions

    def check(self) -> None:
        """Raise where the sentence encoder is asked for and cannot be loaded."""
        if self.options.embedder == "sentence":
            SentenceEncoder(self.options.model).check()

    def align(
        self, document: Document, queries: Sequence[Query], candidates: Sequence[Sequence[Figure]]
    ) -> list[list[Signal]]:
        """Return for each query its nearest figures; the score is the cosine, negative ones as 0."""
        if not document.figures or not queries:
            return [[] for _ in queries]
        import faiss
        import numpy as np

        figures, asked = self._vectors(document, [question_text(query) for query in queries])
        index = faiss.IndexFlatIP(figures.shape[1])
        index.add(figures)
        place = {figure.id: number for number, figure in enumerate(document.figures)}
        found: list[list[Signal]] = []
        for row, left in zip(asked, candidates, strict=True):
            places = np.array(sorted({place[figure.id] for figure in left}), dtype=np.int64)
            if len(places) == 0:
                found.append([])
                continue
            chosen = faiss.SearchParameters(sel=faiss.IDSelectorBatch(places))  # type: ignore[call-arg]
            scores, numbers = index.search(row[None, :], min(self.options.keep, len(places)), params=chosen)
            found.append(
                [
                    Signal(figure_id=document.figures[number].id, score=round(min(1.0, max(0.0, float(score))), 6))
                    for score, number in zip(scores[0], numbers[0], strict=True)
                    if number >= 0
                ]
            )
        return found

    def _vectors(self, document: Document, questions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return rows for figures and for questions."""
        said = [unified(f"{figure.caption}\n{figure.text}") for figure in document.figures]
        share = self.options.surroundings
        around = surroundings(document, self.options.reach) if share > 0 else []
        asked = [unified(question) for question in questions]
        embedder: SentenceEncoder | TfIdfEmbedder
        if self.options.embedder == "sentence":
            embedder = SentenceEncoder(self.options.model)
        else:
            embedder = TfIdfEmbedder().fit(said)
        rows = embedder.embed(said)
        if any(around):
            rows = normalised_rows((1 - share) * rows + share * embedder.embed([unified(text) for text in around]))
        return rows, embedder.embed(asked)


def question_text(query: Query) -> str:
    """Return what a question says: its words, answer and options, and the evidence's labels, numbers and periods."""
    parts = [query.question, query.answer, *query.options, query.description, *query.labels, *query.numbers]
    return " ".join(dict.fromkeys(part for part in [*parts, *query.periods] if part))


def surroundings(document: Document, reach: float) -> list[str]:
    """Return for each figure the blocks of its page that lie within so many points above or below it.

    The last heading above the figure belongs to them however far it is.
    """
    pages = {page.number: page for page in document.pages}
    return [_around(figure, pages[figure.page], reach) if figure.page in pages else "" for figure in document.figures]


def _around(figure: Figure, page: Page, reach: float) -> str:
    texts: dict[str, None] = {}
    heading = None
    for block in page.blocks:
        if block.kind == "heading" and block.box.y1 <= figure.box.y0:
            heading = block.text
        distance = max(figure.box.y0 - block.box.y1, block.box.y0 - figure.box.y1, 0.0)
        beside = block.box.x0 < figure.box.x1 and block.box.x1 > figure.box.x0
        if beside and distance <= reach and figure.box.covers(block.box) < 0.5:
            texts[block.text] = None
    if heading is not None:
        texts[heading] = None
    return "\n".join(texts)
