"""What a report tells of itself on its first pages: company, fiscal year, language, title."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from finlmm_core.domain import Block, DocumentMeta, Language, Page
from finlmm_parsers.layout.text import is_cjk

_LOOK_AT = 6  # pages from the front that covers, title pages and contents lists fit in


def read_meta(pages: Sequence[Page], source: str) -> DocumentMeta:
    """Return company, fiscal year, language and title, each None where the report does not tell.

    Args:
        pages: the parsed pages.
        source: the file's path; never read for facts (file names are not the report's own words).
    """
    front = [block for page in pages[:_LOOK_AT] for block in page.blocks]
    language = _language(pages)
    if not front:
        return DocumentMeta(language=language)
    return DocumentMeta(
        company=_company(pages, front, language), year=_year(pages, front), language=language, title=_title(pages)
    )


def _language(pages: Sequence[Page]) -> Language | None:
    wide = narrow = 0
    for page in pages:
        for block in page.blocks:
            for character in block.text[:400]:
                if is_cjk(character):
                    wide += 1
                elif character.isalpha():
                    narrow += 1
        if wide + narrow > 20_000:
            break
    if wide + narrow < 20:
        return None
    # a Chinese character says about as much as three Latin letters
    return "zh" if 3 * wide > narrow else "en"


_REGISTRANT = re.compile(r"exact\s+name\s+of\s+(?:the\s+)?registrant", re.IGNORECASE)
_FORM = re.compile(r"\bform\s+(?:10-?[kq]|20-?f|8-?k|40-?f)\b", re.IGNORECASE)
_SUFFIX = (
    r"(?:Inc|Incorporated|Corp|Corporation|Company|Co|Companies|Ltd|Limited|LLC|L\.P|LP|plc|PLC|AG|SE|S\.A|SA|N\.V|NV|"
    r"Group|Holdings|Bancorp|Trust|Bank)"
)
_NAMED = re.compile(rf"\b((?:[A-Z0-9][\w&.,'’-]*\s+){{0,6}}{_SUFFIX})\b\.?")
_COVER_NAME = re.compile(rf"(?:[A-Z0-9][\w&.,'’-]*\s+){{1,6}}{_SUFFIX}\.?", re.IGNORECASE)
_GENERIC = re.compile(
    r"^(?:the|our|this|each|such|parent|holding|a)\s+(?:company|corporation|group|bank|trust)|exchange|registrant",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"securities and exchange commission|washington|commission file|inquiries|for release|citation|telephone|^table of"
    r"|^page\b|registrant|title of each",
    re.IGNORECASE,
)
_CHINESE_COMPANY = re.compile(
    r"([\u4e00-\u9fff（）()A-Za-z0-9]{2,30}?(?:股份有限公司|有限责任公司|集团有限公司|有限公司))"
)
_CODE = re.compile(
    r"([\u4e00-\u9fffA-Za-z*]{2,10}?)\s*[（(]\s*\d{4,6}\s*(?:\.\s*(?:SH|SZ|HK|BJ|US))?[\s/,，、\dA-Z.]*[)）]"
)
_BROKER = re.compile(r"证券|研究所|期货|资管|基金")


def _company(pages: Sequence[Page], front: list[Block], language: Language | None) -> str | None:
    if language == "zh":
        return _chinese_company(front)
    for page in pages[:_LOOK_AT]:
        for index, block in enumerate(page.blocks):
            match = _REGISTRANT.search(block.text)
            if match is None:
                continue
            before = block.text[: match.start()].strip(" (（\n")
            if before and len(before) < 120 and not _FORM.search(before):
                return _clean(before)
            for candidate in reversed(page.blocks[max(0, index - 3) : index]):
                if any(c.isalpha() for c in candidate.text) and len(candidate.text) < 100:
                    return _clean(candidate.text)
    for index, block in enumerate(pages[0].blocks):  # a line of the cover that is nothing but a name
        match = _COVER_NAME.fullmatch(block.text.strip())
        if match and len(block.text) < 80 and len(block.text.split()) > 1 and not _GENERIC.match(block.text):
            if index and _goes_before(pages[0].blocks[index - 1], block):
                return _clean(f"{pages[0].blocks[index - 1].text} {block.text}")
            return _whole_name(_clean(block.text), pages)
    named: Counter[str] = Counter()
    for block in front:
        if len(block.text) > 400 and not named:
            continue
        for match in _NAMED.finditer(block.text[:1500]):
            name = _clean(match.group(0))
            if len(name.split()) > 1 and not _GENERIC.match(name):
                named[name] += 1
    for page in pages[_LOOK_AT : _LOOK_AT + 10]:
        for block in page.blocks:
            for match in _NAMED.finditer(block.text[:1500]):
                name = _clean(match.group(0))
                if name in named:
                    named[name] += 1
    if not named:
        return None
    name, count = max(named.items(), key=lambda item: (item[1], len(item[0]), item[0]))
    return name if count >= 2 else None


def _goes_before(first: Block, second: Block) -> bool:
    """Tell whether a name begins in the block before: a turned line on a cover's spine comes in pieces."""
    aligned = abs(first.box.x0 - second.box.x0) < 2 and abs(first.box.x1 - second.box.x1) < 2
    near = -2 < second.box.y0 - first.box.y1 < 4
    return aligned and near and len(first.text) < 40 and first.text[:1].isupper()


def _whole_name(name: str, pages: Sequence[Page]) -> str:
    """Return the name with the words that stand before it wherever it is printed (covers break long names)."""
    longer: Counter[str] = Counter()
    pattern = re.compile(rf"((?:[A-Z][\w&’'-]*\s+){{1,4}}){re.escape(name)}")
    alone = 0
    for page in pages[: _LOOK_AT + 10]:
        for block in page.blocks:
            if name not in block.text:
                continue
            match = pattern.search(block.text)
            if match:
                longer[match.group(0)] += 1
            else:
                alone += 1
    if not longer:
        return name
    best, count = max(longer.items(), key=lambda item: (item[1], item[0]))
    return best if 2 * count > alone else name


def _clean(name: str) -> str:
    name = re.sub(r"\s+", " ", name).strip(" ,;:|-–—*†()")
    name = re.sub(r"^(?:[\W_]+|\d+\s+)", "", name)
    return re.sub(r"^(?:The\s+)?(?:Annual Report(?: and Accounts)?(?: of)?|Form 10-K)\s+", "", name)


def _chinese_company(front: list[Block]) -> str | None:
    for block in front:
        for match in _CODE.finditer(block.text):
            name = match.group(1)
            if not _BROKER.search(name) and any(is_cjk(c) for c in name):
                return name
    found: Counter[str] = Counter()
    for block in front:
        for match in _CHINESE_COMPANY.finditer(block.text):
            name = match.group(1)
            if not _BROKER.search(name):
                found[name] += 1
    if not found:
        return None
    return max(found.items(), key=lambda item: (item[1], -len(item[0]), item[0]))[0]


_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_PERIOD_ENDED = re.compile(
    rf"(?:fiscal\s+years?|years?|quarter(?:ly\s+period)?|period|months|weeks)\s+ended[:\s]+(?:{_MONTH})\s+\d{{1,2}}\s*,?\s*((?:19|20)\d\d)"
    rf"|(?:years?|period|months)\s+ended[:\s]+\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}\s+((?:19|20)\d\d)",
    re.IGNORECASE,
)
_REPORT_YEAR = re.compile(
    r"(?:annual\s+report(?:\s*(?:&|and)\s*accounts)?|form\s+10-k|annual\s+results|fiscal(?:\s+year)?|FY)[\s,:–-]*((?:19|20)\d\d)"
    r"|((?:19|20)\d\d)\s+(?:annual\s+report|form\s+10-k|proxy|financial\s+(?:report|statements)|full[- ]year|fiscal)",
    re.IGNORECASE,
)
_CHINESE_YEAR = re.compile(r"((?:19|20)\d\d)\s*年(?:度|年度)?(?:报告|年报|年度报告|半年度报告|半年报)?")
_DATE_YEAR = re.compile(r"\b((?:19|20)\d\d)\b")


def _year(pages: Sequence[Page], front: list[Block]) -> int | None:
    for pattern in (_PERIOD_ENDED, _REPORT_YEAR):
        for block in front:
            match = pattern.search(block.text[:3000])
            if match:
                return int(next(g for g in match.groups() if g))
    cover = [block.text for page in pages[:2] for block in page.blocks]
    for text in cover:
        match = _CHINESE_YEAR.search(text)
        if match:
            return int(match.group(1))
    years = Counter(int(m) for text in cover for m in _DATE_YEAR.findall(text))
    if years:
        year, count = max(years.items(), key=lambda item: (item[1], item[0]))
        if count >= 2 or len(years) == 1:
            return year
    return None


def _title(pages: Sequence[Page]) -> str | None:
    for page in pages[:2]:
        for block in page.blocks:
            form = _FORM.search(block.text)
            if form:
                return form.group(0)
        headings = [
            b
            for b in page.blocks
            if b.kind == "heading" and sum(c.isalpha() for c in b.text) > 3 and not _BOILERPLATE.search(b.text)
        ]
        if headings:
            best = max(headings, key=lambda b: (round(b.box.height / max(1, b.text.count("\n") + 1)), -b.box.y0))
            return best.text[:200]
    return None
