"""Stated numbers of a report's prose, in reading order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from finlmm_core.domain import Box, Document, Language, Rejected
from finlmm_generators.causes import sentences_of
from finlmm_generators.stated import Reading, Statement, Unread
from finlmm_generators.stated_chinese import read_chinese
from finlmm_generators.stated_english import read_english

_KINDS = ("paragraph", "list_item", "note", "caption")


def find_statements(document: Document, language: Language) -> Iterator[Statement | Rejected]:
    """Yield what the prose states of one measure for several periods or groups; Rejected where in doubt."""
    year = _report_year(document)
    for page in document.pages:
        for block in page.blocks:
            text = block.text.strip(" •·▪■●◦-–")
            if block.kind not in _KINDS:
                continue
            if language == "zh":
                text = re.sub(r"\s+", "", text)
                found = [(text, item) for item in read_chinese(text)]
            else:
                text = re.sub(r"\s+", " ", text)
                sentences = [sentence.strip(" •·▪■●◦-–") for sentence in sentences_of(text)]
                found = [
                    (sentence, item) for sentence in sentences if (item := read_english(sentence, year)) is not None
                ]
            for sentence, item in found:
                yield _placed(item, sentence, text, page.number, block.box)


def _report_year(document: Document) -> int | None:
    """Return the year of the report: as its meta says, or the one after what '(2021: £5,000)' compares with."""
    if document.meta.year is not None:
        return document.meta.year
    compared = Counter(
        int(year)
        for page in document.pages
        for block in page.blocks
        for year in re.findall(r"[(（](20\d\d)\s?[:：]\s?[^\s)）]*\d", block.text)
    )
    if not compared:
        return None
    year, times = compared.most_common(1)[0]
    return year + 1 if times >= 5 and times >= 0.8 * compared.total() else None


def _placed(item: Reading | Unread, sentence: str, paragraph: str, page: int, box: Box) -> Statement | Rejected:
    if isinstance(item, Unread):
        place = ",".join(f"{edge:.0f}" for edge in box)
        return Rejected(step="generate", item_id=f"{page}:{place}", reason=item.reason, detail=item.detail)
    return Statement(
        measure=item.measure,
        kind=item.kind,
        values=item.values,
        sentence=sentence,
        paragraph=paragraph,
        page=page,
        box=box,
        movements=item.movements,
        direction=item.direction,
    )
