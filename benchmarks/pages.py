"""Page retrieval: is the page that a person named as evidence among the first that the report's own text leads to?

For each question with labelled evidence pages, all blocks and figures of its report are ranked by text, and the pages
in the order in which their best block or figure comes. ``pages.hit1``: the first page is an evidence page;
``pages.hit5``: one of the first five is. Questions that people marked unanswerable are left out.

Labels are one JSON object a line: file, question, evidence_pages_1based, answer; 'Not answerable' or no pages: left
out. ``--labels`` defaults to page_labels.jsonl beside the reports.

    python benchmarks/pages.py --reports DIR [--run RUN] [--embedder tfidf|sentence|both] [--show]

``--run`` takes the parsed documents of a finished build in place of parsing here. Ranking joins two views of a block or
figure: its own words, and those of the section of the page it stands in (BM25, Robertson et al. 1994, over words), so
that a table whose rows say 'Total' is found by the heading above it.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from finlmm_generators.glossary import terms

from finlmm_core.domain import Document, Page
from finlmm_core.embed import SentenceEncoder, TfIdfEmbedder, words
from finlmm_core.plugins.bases import OcrEngine, Parser

#: A passage is this many words long at least, so that headings and short lines stand with what follows them.
PASSAGE_WORDS = 60

#: Words by which a question speaks of itself and of its answer.
ABOUT_ITSELF = frozenset(
    """question answer answering give response respond rely relying detail details shown show use using based assume
    primarily information directly list format following term round decimal place amount usd""".split()  # noqa: SIM905
)


class Passage(NamedTuple):
    """A block with what follows it, or a figure, and the page it stands on."""

    page: int
    text: str


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--reports", type=Path, required=True)
    arguments.add_argument("--labels", type=Path)
    arguments.add_argument("--run", type=Path, help="folder of a build whose parsed documents are used")
    arguments.add_argument("--parser", default="pdfium")
    arguments.add_argument("--ocr", default="rapidocr", help="OCR engine, or 'none'")
    arguments.add_argument("--embedder", choices=("tfidf", "sentence", "both"), default="tfidf")
    arguments.add_argument("--show", action="store_true", help="print each question and where its page came")
    chosen = arguments.parse_args()
    labels = chosen.labels or chosen.reports / "page_labels.jsonl"
    questions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in labels.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["evidence_pages_1based"] and str(record["answer"]).strip().lower() != "not answerable":
            questions[record["file"]].append(record)
    tally: Counter[str] = Counter()
    for file, records in sorted(questions.items()):
        document = stored(chosen.run, file) if chosen.run else parsed(chosen.reports / file, chosen.parser, chosen.ocr)
        pages = ranked_pages(document, [record["question"] for record in records], chosen.embedder)
        for record, ranking in zip(records, pages, strict=True):
            evidence = set(record["evidence_pages_1based"])
            place = next((place for place, page in enumerate(ranking, 1) if page in evidence), 0)
            tally["questions"] += 1
            tally["hit1"] += place == 1
            tally["hit5"] += 1 <= place <= 5
            if chosen.show:
                print(f"{place:4d}  {file}  {sorted(evidence)}  {ranking[:5]}  {record['question'][:100]}")
    for name in ("hit1", "hit5"):
        value = tally[name] / tally["questions"] if tally["questions"] else None
        print(json.dumps({"what": f"pages.{name}", "value": value, "unit": "share", "n": tally["questions"]}))


def parsed(pdf: Path, parser: str, ocr: str) -> Document:
    """Parse a report with plugins by name."""
    from finlmm_core.plugins.manager import Plugins
    from finlmm_core.plugins.refs import PluginRef
    from finlmm_core.store.images import ImageStore

    plugins = Plugins.load()
    engine = None if ocr == "none" else cast(OcrEngine, plugins.create("ocr", PluginRef(name=ocr)))
    folder = Path(tempfile.mkdtemp())
    try:
        return cast(Parser, plugins.create("parser", PluginRef(name=parser))).parse(pdf, ImageStore(folder), engine)
    finally:
        shutil.rmtree(folder)


def stored(run: Path, file: str) -> Document:
    """Read a report's parsed document from a build."""
    for path in sorted((run / "parsed").glob("??/*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        record = body.get("result", body)
        if isinstance(record, dict) and Path(record.get("source", "")).name == file:
            return Document.model_validate(record)
    raise SystemExit(f"{run} has no parsed document of {file}")


def ranked_pages(document: Document, questions: Sequence[str], embedder: str) -> list[list[int]]:
    """Return the report's pages for each question, best first."""
    passages = passages_of(document)
    if not passages:
        return [[] for _ in questions]
    page_text: dict[int, list[str]] = defaultdict(list)
    for passage in passages:
        page_text[passage.page].append(passage.text)
    numbers = sorted(page_text)
    queries = [query_of(question) for question in questions]
    own = bm25([words(passage.text) for passage in passages], queries)
    around = bm25([words(" ".join(page_text[number])) for number in numbers], queries)
    at = {number: index for index, number in enumerate(numbers)}
    scores = scaled(own) + 0.6 * scaled(around)[:, [at[passage.page] for passage in passages]]
    if embedder in ("tfidf", "both"):
        fitted = TfIdfEmbedder().fit([passage.text for passage in passages])
        scores = scores + scaled(cosines(fitted, passages, questions))
    if embedder in ("sentence", "both"):
        encoder = SentenceEncoder("all_minilm_l6_v2", max_tokens=256)
        vectors = encoder.embed([passage.text for passage in passages])
        scores = scores + scaled(encoder.embed(list(questions)) @ vectors.T)
    rankings = []
    for row in scores:
        order = np.argsort(-row, kind="stable")
        rankings.append(list(dict.fromkeys(passages[index].page for index in order)))
    return rankings


def passages_of(document: Document) -> list[Passage]:
    """Return blocks, short ones with what follows them, and figures with their captions and table cells."""
    passages: list[Passage] = []
    heading = ""
    for page in document.pages:
        found, heading = _passages_of_page(page, heading)
        passages += found
    tables = {table.figure_id: table for table in document.tables}
    pages = {page.number: page for page in document.pages}
    for figure in document.figures:
        table = tables.get(figure.id)
        title = table.title if table and table.title not in figure.caption else ""
        above = _leads(pages[figure.page], figure.box.y0)
        parts = [*above, figure.caption, title, figure.text]
        passages.append(Passage(figure.page, "\n".join(part for part in parts if part)))
    return [passage for passage in passages if passage.text.strip()]


def _leads(page: Page, top: float) -> list[str]:
    """Return the short blocks of a page above a figure: a statement's name often stands well above its table."""
    return [block.text for block in page.blocks if block.box.y1 <= top + 2 and len(words(block.text)) <= 25][:8]


def _passages_of_page(page: Page, heading: str) -> tuple[list[Passage], str]:
    """Return the page's passages and the heading in force at its end."""
    found = []
    for start, block in enumerate(page.blocks):
        if block.kind == "heading":
            heading = block.text
        parts, length = [block.text], len(words(block.text))
        for following in page.blocks[start + 1 :]:
            if length >= PASSAGE_WORDS:
                break
            parts.append(following.text)
            length += len(words(following.text))
        lead = "" if block.kind == "heading" or not heading else heading + "\n"
        found.append(Passage(page.number, lead + "\n".join(parts)))
    return found, heading


def cosines(fitted: TfIdfEmbedder, passages: Sequence[Passage], questions: Sequence[str]) -> np.ndarray:
    """Return the cosine of each question with each passage, in parts, so that a long report needs little memory."""
    queries = fitted.embed(list(questions))
    step = 128
    parts = [queries @ fitted.embed([p.text for p in passages[i : i + step]]).T for i in range(0, len(passages), step)]
    return np.concatenate(parts, axis=1)


def query_of(question: str) -> dict[str, float]:
    """Return the words that a question looks for, with weights: what it says of itself is left out, and a financial
    term brings the glossary's other names of it along at half weight.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    left_out = {words(word)[0] for word in (ENGLISH_STOP_WORDS | ABOUT_ITSELF) if words(word)}
    query = {word: 1.0 for word in words(question) if word not in left_out}
    spoken = " ".join(["", *words(question), ""])
    for term in terms():
        names = [words(name) for name in (*term.names("en"), *term.names("zh"))]
        if any(f" {' '.join(name)} " in spoken for name in names if name):
            for name in names:
                for word in name:
                    if word not in left_out:
                        query.setdefault(word, 0.5)
    return query


def bm25(texts: Sequence[Sequence[str]], queries: Sequence[dict[str, float]], k1: float = 1.2, b: float = 0.75) -> Any:
    """Return Okapi BM25 scores, queries x texts; a query is its words with their weights."""
    counted = [Counter(text) for text in texts]
    lengths = np.array([max(1, len(text)) for text in texts], dtype=float)
    usual = lengths.mean()
    seen: Counter[str] = Counter()
    for one in counted:
        seen.update(one.keys())
    scores = np.zeros((len(queries), len(texts)))
    for row, query in enumerate(queries):
        for word in sorted(query):
            if not seen[word]:
                continue
            weight = query[word] * math.log(1 + (len(texts) - seen[word] + 0.5) / (seen[word] + 0.5))
            times = np.array([one[word] for one in counted], dtype=float)
            scores[row] += weight * times * (k1 + 1) / (times + k1 * (1 - b + b * lengths / usual))
    return scores


def scaled(scores: np.ndarray) -> np.ndarray:
    """Return each row divided by its largest value, so that views of different measure can be added."""
    top = scores.max(axis=1, keepdims=True)
    return scores / np.where(top > 0, top, 1.0)


if __name__ == "__main__":
    main()
