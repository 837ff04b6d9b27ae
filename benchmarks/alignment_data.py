"""Image-question pairs with people's labels, as documents and questions of finlmm; shared by benchmark and calibration.

A folder of that shape holds ``records.jsonl`` (``id, source, lang, doc_id, question, answer, answer_type, choices,
gold_images, candidate_images``) and ``images/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from finlmm_core.domain import Answer, Box, Document, Figure, ImageRef, Page, QAPair, QuestionType, content_id
from finlmm_core.plugins.bases import OcrEngine
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef


class Case(NamedTuple):
    """One labelled question with the figures that it may be about."""

    source: str
    group: str  # the deck or report; cross-validation keeps a group together
    question: QAPair
    document: Document
    gold: frozenset[str]  # figure ids, any of which is right


def load_cases(data: Path, ocr: PluginRef, cache: Path | None, workers: int) -> list[Case]:
    """Return all cases of a folder, figures' texts read by the given OCR engine.

    A record's figures are its ``candidate_images``. Where no record of a source has a choice (one candidate each), all
    images of the source are every record's candidates.
    """
    with (data / "records.jsonl").open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        by_source[short_name(record["source"])].append(record)
    candidates: dict[str, tuple[str, ...]] = {}
    for listed in by_source.values():
        pooled = all(len(record["candidate_images"]) == 1 for record in listed)
        pool = tuple(sorted({name for record in listed for name in record["candidate_images"]}))
        for record in listed:
            candidates[record["id"]] = pool if pooled else tuple(record["candidate_images"])
    names = sorted({name for listed in candidates.values() for name in listed})
    texts = read_texts([data / "images" / name for name in names], ocr, cache, workers)
    documents: dict[tuple[str, ...], Document] = {}
    cases = []
    for source, listed in by_source.items():
        for record in listed:
            figures = candidates[record["id"]]
            if figures not in documents:
                documents[figures] = document_of(figures, texts)
            question = question_of(record, documents[figures].id)
            gold = frozenset(record["gold_images"])
            cases.append(Case(source, record["doc_id"], question, documents[figures], gold))
    return cases


def short_name(source: str) -> str:
    """Return 'FinMMR' for 'BUPT-Reasoning-Lab/FinMMR (hard_test.json, CRRQA)'."""
    return re.sub(r"\s*\(.*\)\s*$", "", source).rsplit("/", 1)[-1]


def document_of(names: Sequence[str], texts: dict[str, tuple[str, ImageRef]]) -> Document:
    """Return a report whose figures are these images, a page each; their ids are the images' names."""
    figures = []
    for number, name in enumerate(names, start=1):
        text, image = texts[name]
        box = Box(0, 0, image.width, image.height)
        source = "ocr" if text else "none"
        figures.append(Figure(id=name, page=number, box=box, kind="chart", text=text, text_source=source, image=image))
    pages = tuple(Page(number=figure.page, width=figure.box.x1, height=figure.box.y1) for figure in figures)
    return Document(id=content_id(*names), source="charts", pages=pages, figures=tuple(figures))


def question_of(record: dict[str, Any], document_id: str) -> QAPair:
    """Return the question with its answer and options: no title, no passage, no rationale, no evidence."""
    answer = str(record["answer"])
    options: tuple[str, ...] = ()
    if record.get("choices"):
        options = tuple(record["choices"].values())
        answer = record["choices"].get(answer, answer)
    elif record["answer_type"] == "true/false":
        options = ("True", "False")
    return QAPair(
        id=record["id"],
        document_id=document_id,
        type=QuestionType.STATISTICS_REASONING,
        language="zh" if record["lang"] == "zh" else "en",
        question=record["question"],
        options=options,
        answer=Answer(text=answer, option=options.index(answer) if answer in options else 0),
        evidence=(),
        generator="labelled",
    )


# ----------------------------------------------------------------------------------------------------------- OCR

_ENGINE: OcrEngine | None = None


def read_texts(
    paths: Sequence[Path], ocr: PluginRef, cache: Path | None, workers: int
) -> dict[str, tuple[str, ImageRef]]:
    """Return each image's text, a line of the engine a line, and its reference, by file name."""
    plugin = Plugins.load().get("ocr", ocr.name)
    options = plugin.Options.model_validate(ocr.options)
    setting = content_id(ocr.name, plugin.version, options.model_dump(mode="json"))
    jobs = [(path, ocr, cache / setting if cache else None) for path in paths]
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            found: Iterable[tuple[str, ImageRef]] = list(pool.map(_read, jobs, chunksize=4))
    else:
        found = map(_read, jobs)
    return {path.name: one for path, one in zip(paths, found, strict=True)}


def _read(job: tuple[Path, PluginRef, Path | None]) -> tuple[str, ImageRef]:
    from PIL import Image

    global _ENGINE
    path, ocr, cache = job
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with Image.open(path) as image:
        image.load()
    reference = ImageRef(sha256=digest, width=image.width, height=image.height)
    stored = cache / f"{digest}.txt" if cache else None
    if stored is not None and stored.is_file():
        return stored.read_text(encoding="utf-8"), reference
    if _ENGINE is None:
        plugin = Plugins.load().get("ocr", ocr.name)
        engine = plugin(plugin.Options.model_validate(ocr.options))
        assert isinstance(engine, OcrEngine)
        _ENGINE = engine
    text = "\n".join(line.text for line in _ENGINE.read([image])[0])
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        unfinished = stored.with_suffix(f".{os.getpid()}")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(stored)
    return text, reference
