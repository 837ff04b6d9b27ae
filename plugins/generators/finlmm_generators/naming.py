"""How a question names the table, the rows and the periods that it is about."""

from __future__ import annotations

import re

from finlmm_core.domain import Document, Language
from finlmm_core.quantities import find_periods
from finlmm_generators.grid import Column, Grid, Row
from finlmm_generators.labels import clean_title, is_generic, listed, quoted

_SPAN = re.compile(
    r"\A(?:for\s+the\s+|the\s+)?((?:[a-z]+-?\s?|\d+\s){1,3}(?:months?|weeks?|years?|quarters?)(?:\s+period)?\s+end(?:ed|ing))",
    re.IGNORECASE,
)


def document_language(document: Document) -> Language:
    """Return the report's language, told by its meta or by its characters."""
    if document.meta.language:
        return document.meta.language
    chinese = latin = 0
    for page in document.pages[:40]:
        for block in page.blocks:
            chinese += sum("\u4e00" <= c <= "\u9fff" for c in block.text)
            latin += sum(c.isascii() and c.isalpha() for c in block.text)
    if not chinese and not latin:
        for table in document.tables[:20]:
            text = " ".join(cell for row in table.rows for cell in row)
            chinese += sum("\u4e00" <= c <= "\u9fff" for c in text)
            latin += sum(c.isascii() and c.isalpha() for c in text)
    return "zh" if chinese * 3 > latin else "en"


def company_name(document: Document) -> str:
    """Return the company's name as a question uses it, '' where unknown."""
    name = re.sub(r"\s+", " ", document.meta.company or "").strip(" ,")
    if re.fullmatch(r"(?:the\s+)?(?:company|registrant|group|corporation|issuer|本公司|公司)", name, re.IGNORECASE):
        return ""
    letters = [character for character in name if character.isalpha()]
    shouted = len(name) > 5 and sum(character.isupper() for character in letters) > 0.7 * len(letters)
    return " ".join(map(_named_word, name.split())) if shouted else name


def _named_word(word: str) -> str:
    """Return a word of a name written in capitals as names are written: 'McDONALD'S' is McDonald's, '3M' stays."""
    if word.lower() in ("inc.", "inc", "ltd.", "ltd", "co.", "corp.", "plc", "llc", "and", "of", "the"):
        return word.lower() if word.lower() in ("and", "of", "the", "plc") else word.capitalize()
    if len(word) <= 3 or any(character.isdigit() for character in word):
        return word
    return f"Mc{word[2:].capitalize()}" if word.startswith("Mc") else word.capitalize()


def table_title(grid: Grid) -> str:
    """Return the table's cleaned title, or the statement's name that its rows tell; '' where there is neither."""
    chart = grid.figure.kind == "chart"
    for text in (grid.table.title, grid.figure.caption):
        if title := clean_title(text, grid.language, sentence=chart):
            return title
    if title := statement_title([row.label for row in grid.rows], grid.language):
        return title
    corner = grid.table.header[0] if grid.table.header else ""
    return "" if find_periods(corner) else clean_title(corner, grid.language)


#: A statement's name and the rows that it has all of; an extract of a statement lacks some.
_STATEMENTS: tuple[tuple[dict[Language, str], tuple[str, ...]], ...] = (
    (
        {"en": "Statement of Cash Flows", "zh": "现金流量表"},
        (
            r"net cash .{0,30}operat|经营活动.{0,8}现金流",
            r"net cash .{0,30}invest|投资活动.{0,8}现金流",
            r"net cash .{0,30}financing|筹资活动.{0,8}现金流",
            r"(?:cash|equivalents).{0,60}\b(?:beginning|end|opening|closing)\b|"
            r"(?:increase|decrease|change) in cash|现金.{0,8}(?:净增加|净变动|余额)",
            r"depreciation|amorti[sz]ation|折旧",
        ),
    ),
    (
        {"en": "Balance Sheet", "zh": "资产负债表"},
        (
            r"total assets|资产(?:总计|合计)",
            r"total (?:current )?liabilities|负债(?:总计|合计)",
            r"total .{0,40}equity|equity.{0,20}total|(?:所有者|股东)权益",
            r"\bcash\b|货币资金",
        ),
    ),
    (
        {"en": "Income Statement", "zh": "利润表"},
        (
            r"\A(?:total )?(?:net )?(?:operating )?(?:sales|revenues?)\b|营业(?:总)?收入",
            r"cost of|costs and expenses|operating expenses|营业成本",
            r"before .{0,30}tax|利润总额",
            r"provision for|taxes\b.{0,20}income|income tax|\A(?:tax|taxation)\Z|所得税",
            r"\Anet (?:income|earnings|loss|profit)|profit for the|净利润",
        ),
    ),
)
_MEASURE = re.compile(r"non-?gaap|adjusted|organic|margin percentage|free cash flow", re.IGNORECASE)


def statement_title(labels: list[str], language: Language) -> str:
    """Return the name of the financial statement that has such rows, '' where it is none.

    Whether it is the group's or the parent's cannot be told from the rows, so the name does not say 'consolidated'.
    """
    if any(_MEASURE.search(label) for label in labels):
        return ""  # an analysis of the statement, not the statement
    for names, marks in _STATEMENTS:
        if all(any(re.search(mark, label, re.IGNORECASE) for label in labels) for mark in marks):
            return names[language]
    return ""


def subject(grid: Grid, company: str, columns: tuple[Column, ...] = ()) -> str:
    """Return the table in words: by its title, or else by what it lists; with the heading that its periods share."""
    name = _subject(grid, company)
    rest = {column.rest for column in columns if column.role == "period" and column.rest}
    if len(rest) != 1 or _same(rest, table_title(grid)):
        return name
    heading = quoted(rest.pop(), grid.language)
    return f"{name}（{heading}）" if grid.language == "zh" else f"{name} (under {heading})"


def _same(rest: set[str], title: str) -> bool:
    """Whether the heading only says the title again."""
    folded = re.sub(r"\W+", "", title).lower()
    return all(re.sub(r"\W+", "", text).lower() in folded for text in rest)


def _subject(grid: Grid, company: str) -> str:
    title, language = table_title(grid), grid.language
    if company and title and company.lower() in title.lower():
        company = ""
    if language == "zh":
        owner = f"{company}的" if company else ""
        if title:
            return f"{owner}“{title}”数据"
        return f"{owner}列有{listed([quoted(row.label, language) for row in telling_rows(grid)], language)}的数据"
    owner = f" of {company}" if company else ""
    if title:
        return f'the "{title}" data{owner}' if owner else f'the report\'s "{title}" data'
    names = listed([quoted(row.label, language) for row in telling_rows(grid)], language)
    return f"the data{owner} that list {names}"


def telling_rows(grid: Grid) -> list[Row]:
    """Return up to three rows whose labels say what the table is about: longer labels without 'total' first."""
    rows = [row for row in grid.rows if row.label_unique and not is_generic(row.label)]
    ranked = sorted(rows, key=lambda row: (row.total, -min(len(row.label), 40), row.index))[:3]
    return sorted(ranked, key=lambda row: row.index)


def period_name(column: Column, language: Language) -> str:
    """Return the period as a sentence uses it: '2021', 'fiscal 2021', 'the three months ended June 30, 2023'."""
    period = column.period
    if period is None:
        return quoted(column.heading, language)
    text = re.sub(r"\s+", " ", period.text).strip(" ()（）")
    if language == "zh":
        return (
            f"{period.year}年"
            if period.kind == "year" and not period.estimate and re.fullmatch(r"[\w ]*", text)
            else text
        )
    if period.kind == "year":
        if period.estimate:
            return text
        if re.match(r"(?:FY|fiscal)", text, re.IGNORECASE):
            return f"fiscal {period.year}"
        if period.key == str(period.year):
            return str(period.year)
    found = _SPAN.match(text)
    if found:
        return "the " + found.group(1).lower() + text[found.end() :]
    return text


def _without_unit(column: Column) -> str:
    """Return the heading without a short unit at its end ("Total £'000"): the answer has it."""
    return re.sub(r"\s+[$€£¥]?['’`]000s?\Z|\s+[$€£¥]\s?(?:mn|bn|m|k)?\Z", "", column.heading) or column.heading


def at_period(column: Column, language: Language) -> str:
    """Return 'in 2021', 'as of December 31, 2021' or 'under "Americas"'."""
    if column.period is None:
        return (
            f"{quoted(_without_unit(column), language)}栏下"
            if language == "zh"
            else f"under {quoted(_without_unit(column), language)}"
        )
    name = period_name(column, language)
    if language == "zh":
        return f"{name}的" if column.period.kind in ("day", "month") else name
    return f"as of {name}" if column.period.kind == "day" else f"in {name}"


def table_as_text(grid: Grid, company: str, keep: set[int], limit: int = 5000) -> str:
    """Return the table as compact text: title, unit, headings, rows under their sections.

    Args:
        grid: the table.
        company: whose report it is.
        keep: columns or rows (of the grid) that must be in even if the table is longer than the limit.
        limit: characters; rows that are not to be kept are left out from the end on.
    """
    table = grid.table
    lines = [" - ".join(part for part in (company, table_title(grid) or table.title.strip()) if part)]
    if table.unit or grid.units.text:
        lines.append(f"({(table.unit or grid.units.text).strip('()（） ')})")
    lines.append(" | ".join(heading.strip() for heading in table.header))
    used = sum(map(len, lines))
    group = ""
    for i, row in enumerate(table.rows):
        text = " | ".join(cell.strip() for cell in row)
        section = table.row_groups[i] if i < len(table.row_groups) else ""
        needed = grid.transposed or i in keep
        if not text.strip(" |") or (used + len(text) > limit and not needed):
            continue
        if section != group:
            group = section
            if group:
                lines.append(group)
        lines.append(text)
        used += len(text)
    return "\n".join(line for line in lines if line)
