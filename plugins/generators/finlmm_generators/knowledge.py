"""Knowledge questions: what a financial term that a figure shows means, how it is computed, what its rise says."""
# ruff: noqa: E501 - wordings and term lists are easier to read whole

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from random import Random

from finlmm_core.domain import Answer, Document, Evidence, Language, QAPair, QuestionType, Rejected, content_id
from finlmm_generators.glossary import Term, term_of, terms_by_key, terms_in
from finlmm_generators.grid import Column, Grid, Row
from finlmm_generators.labels import listed, quoted
from finlmm_generators.leaks import leaks_answer, names_position
from finlmm_generators.naming import company_name, period_name, subject, table_as_text, table_title

_WORDINGS: dict[str, dict[Language, tuple[str, ...]]] = {
    "meaning": {
        "en": (
            "In {s}, {r} is listed for {ps}. What does this term mean?",
            "{s_cap} include the line {r} for {ps}. What does the term stand for?",
            "Which description fits {r} as reported in {s} for {ps}?",
            "A reader of {s} meets the item {r} ({ps}). What is it?",
            "What is meant by {r}, an item given for {ps} in {s}?",
        ),
        "zh": (
            "{s}列示了{ps}的{r}。该术语的含义是什么？",
            "在{s}中可以看到{r}（{ps}），它指的是什么？",
            "下列哪一项正确描述了{s}中{ps}的{r}？",
            "阅读{s}时会遇到{r}（{ps}）这一项目，它是什么意思？",
            "{s}里的{r}（{ps}）应如何理解？",
        ),
    },
    "formula": {
        "en": (
            "In {s}, {r} is listed for {ps}. How is it computed?",
            "{s_cap} include {r} for {ps}. Which formula gives it?",
            "Which calculation leads to {r}, reported for {ps} in {s}?",
            "How would one arrive at {r}, an item given for {ps} in {s}?",
            "Which expression defines {r} as it appears in {s} for {ps}?",
        ),
        "zh": (
            "{s}列示了{ps}的{r}。它是如何计算的？",
            "在{s}中可以看到{r}（{ps}），其计算公式是？",
            "下列哪个公式可得出{s}中{ps}的{r}？",
            "{s}里的{r}（{ps}）按什么方法计算？",
            "{s}给出了{ps}的{r}，其算法为下列哪一项？",
        ),
    },
    "rise": {
        "en": (
            "In {s}, {r} was higher in {p1} than in {p0}. Taken by itself, what does such a rise say?",
            "{s_cap} show that {r} went up from {p0} to {p1}. How is this to be read?",
            "What does an increase in {r}, as seen from {p0} to {p1} in {s}, indicate?",
            "Between {p0} and {p1}, {r} rose in {s}. What does that suggest?",
            "How should the growth of {r} from {p0} to {p1} in {s} be interpreted on its own?",
        ),
        "zh": (
            "{s}中，{p1}的{r}高于{p0}。单看这一点，说明了什么？",
            "{s}显示{r}从{p0}到{p1}上升，应如何解读？",
            "从{s}看到{r}由{p0}至{p1}增加，这意味着什么？",
            "在{s}中，{p0}至{p1}期间{r}上升，这表明什么？",
            "如何理解{s}中{r}在{p1}较{p0}的增长？",
        ),
    },
}


def knowledge_questions(
    document: Document,
    language: Language,
    grids: list[Grid],
    *,
    most: int,
    per_figure: int,
    seed: int,
    generator: str,
) -> Iterator[QAPair | Rejected]:
    """Yield at most one question a term, about the figure that names it most plainly; figures in the report's order."""
    company = company_name(document)
    titles = Counter(table_title(grid).lower() for grid in grids)
    candidates: dict[str, list[tuple[int, Grid, Row]]] = {}
    for place, grid in enumerate(grids):
        title = table_title(grid).lower()
        if not title or titles[title] > 1:
            continue
        for row in grid.rows:
            term = term_of(row.label, language)
            if term is None or not row.unique or not row.cells or (_RATIO.search(term.key) and row.kind == "amount"):
                continue
            if _at_home(term, grid, language):
                candidates.setdefault(term.key, []).append((place, grid, row))
    made: Counter[str] = Counter()
    chosen: list[tuple[int, Grid, Row, Term]] = []
    for key, places in candidates.items():
        random = Random(content_id(seed, document.id, "knowledge", key))
        random.shuffle(places)
        places.sort(key=lambda entry: made[entry[1].figure.id])
        place, grid, row = places[0]
        if made[grid.figure.id] >= per_figure:
            continue
        made[grid.figure.id] += 1
        chosen.append((place, grid, row, terms_by_key()[key]))
    chosen.sort(key=lambda entry: content_id(seed, document.id, "term", entry[3].key))
    for _, grid, row, term in sorted(chosen[:most], key=lambda entry: (entry[0], entry[2].index)):
        yield _question(document, language, grid, row, term, company, seed, generator)


_STATEMENT = re.compile(
    r"statements? of|balance sheet|income statement|earnings statement|financial position|selected|summary|highlights|results|overview|key figures|"
    r"利润表|资产负债表|现金流量表|财务|盈利预测|主要",
    re.IGNORECASE,
)
_FLOW = re.compile(r"cash flow|现金流", re.IGNORECASE)
#: Terms whose amounts in a cash flow statement are the amounts that the glossary speaks of; others show changes there.
_FLOW_TERMS = frozenset(
    [
        "operating_cash_flow",
        "investing_cash_flow",
        "financing_cash_flow",
        "free_cash_flow",
        "capex",
        "dividends_paid",
        "share_repurchases",
        "net_income",
        "depreciation",
        "amortization",
        "depreciation_amortization",
        "stock_compensation",
        "impairment",
    ]
)

#: Titles of tables that show what happened to an item, under the item's name.
_ELSEWHERE = re.compile(
    r"\bimpacts?\b|\beffects?\b|details? about|affected|reclassif|reconciliation|recogni[sz]ed in|影响|调节",
    re.IGNORECASE,
)
#: Terms that are shares: an amount under such a name ('Gross margin') is another measure.
_RATIO = re.compile(r"_(?:margin|rate|ratio|yield|growth)\Z|\Ar(?:oe|oa|oic)\Z")


def _at_home(term: Term, grid: Grid, language: Language) -> bool:
    """Whether the table shows the term itself and not another measure's part that bears its name.

    'Selling, general and administrative expenses' in a table of stock-based compensation is no such expense, and
    'Receivables' in a statement of cash flows is a change of receivables.
    """
    title = table_title(grid)
    if _ELSEWHERE.search(title):
        return False
    flows = (
        bool(_FLOW.search(title))
        or sum(bool(re.search(r"net cash|现金流", row.label, re.IGNORECASE)) for row in grid.rows) >= 2
    )
    if flows:
        return term.key in _FLOW_TERMS
    if _STATEMENT.search(title):
        return True
    named = {found.key for found in terms_in(title, language)}
    return term.key in named


def _rising_pair(grid: Grid, row: Row) -> tuple[Column, Column] | None:
    for columns in grid.series:
        held = [column for column in columns if column.index in row.cells]
        for earlier, later in zip(held[-2:], held[-1:], strict=False):
            if 0 < row.cells[earlier.index].value < row.cells[later.index].value:
                return earlier, later
    return None


_OPERATOR = re.compile(r"\s(?:[-+x/^]|\+/-)\s|[－＋×÷±]|Σ")


def _text_of(term: Term, kind: str, language: Language) -> str:
    field = {"meaning": term.definition, "formula": term.formula, "rise": term.rise}[kind]
    return field.said(language)


def _wrong_texts(term: Term, kind: str, language: Language) -> list[str]:
    """Return the texts of the terms that this one is mixed up with; of formulas those that compute something."""
    texts = dict.fromkeys(_text_of(terms_by_key()[key], kind, language) for key in term.confusable)
    gold = _text_of(term, kind, language)
    return [text for text in texts if text != gold and (kind != "formula" or _OPERATOR.search(text))]


def _has_formula(term: Term, grid: Grid, row: Row, language: Language) -> bool:
    """Whether the term is computed, as the table shows it: its formula is arithmetic, as are three wrong ones.

    A total that the table adds up from other parts than the glossary's says itself how it is computed.
    """
    gold = _text_of(term, "formula", language)
    if not _OPERATOR.search(gold) or len(_wrong_texts(term, "formula", language)) < 3:
        return False
    return not any(found.total.index == row.index for found in grid.sums)


def _chosen(term: Term, kinds: list[str], language: Language, random: Random) -> tuple[str, list[str]]:
    """Return what is asked of a term and the options, the right one first drawn its place among them by length.

    A term is mixed up with few others, which leaves the place little room: of the kinds of questions, the one is
    taken whose texts come nearest to the place drawn, so that the longest text is no more often right than others.
    """
    wanted = random.randrange(4)
    found: list[tuple[int, float, str, list[str]]] = []
    for kind in kinds:
        gold, others = _text_of(term, kind, language), _wrong_texts(term, kind, language)
        random.shuffle(others)
        shorter = [text for text in others if len(text) < len(gold)]
        longer = [text for text in others if len(text) >= len(gold)]
        for place in range(4):
            if place <= len(shorter) and 3 - place <= len(longer):
                options = [gold, *shorter[:place], *longer[: 3 - place]]
                found.append((abs(place - wanted), random.random(), kind, options))
    if not found:
        return kinds[0], []
    _, _, kind, options = min(found, key=lambda entry: entry[:2])
    random.shuffle(options)
    return kind, options


def _question(
    document: Document, language: Language, grid: Grid, row: Row, term: Term, company: str, seed: int, generator: str
) -> QAPair | Rejected:
    random = Random(content_id(seed, document.id, grid.figure.id, term.key))
    pair = _rising_pair(grid, row)
    kinds = ["meaning"] + (["formula"] if _has_formula(term, grid, row, language) else []) + (["rise"] if pair else [])
    kind, options = _chosen(term, kinds, language, random)
    columns = [column for column in grid.columns if column.index in row.cells]
    told = list(pair) if pair and kind == "rise" else columns[:3]
    number = random.randrange(len(_WORDINGS[kind][language]))
    name = subject(grid, company)
    question = _WORDINGS[kind][language][number].format(
        s=name,
        s_cap=name[:1].upper() + name[1:],
        r=quoted(row.name, language),
        ps=listed([period_name(column, language) for column in told], language),
        p0=period_name(told[0], language),
        p1=period_name(told[-1], language),
    )
    question = question[:1].upper() + question[1:]

    gold = _text_of(term, kind, language)
    item_id = grid.figure.id
    if len(options) < 4:
        return Rejected(step="generate", item_id=item_id, reason="too_few_options", detail=term.key)
    if names_position(question):
        return Rejected(step="generate", item_id=item_id, reason="names_position", detail=question[:200])
    if leaks_answer(question, gold):
        return Rejected(step="generate", item_id=item_id, reason="answer_in_question", detail=question[:200])
    box = grid.table.cell_boxes[row.index][0] if not grid.transposed and grid.table.cell_boxes[row.index] else None
    evidence = [
        Evidence(
            name="term",
            text=row.label,
            labels=tuple(dict.fromkeys((row.name, *(column.heading for column in told)))),
            page=grid.figure.page,
            box=box,
        )
    ]
    for place, column in enumerate(told):
        cell = row.cells[column.index]
        evidence.append(
            Evidence(
                name="abc"[place],
                text=cell.text.strip(),
                value=float(cell.value),
                labels=(row.name, column.heading),
                page=grid.figure.page,
                box=cell.box,
            )
        )
    template = f"{kind}/{number + 1}"
    headings = listed([column.heading for column in told], language)
    return QAPair(
        id=content_id(document.id, generator, template, question, options),
        document_id=document.id,
        type=QuestionType.FINANCIAL_KNOWLEDGE,
        language=language,
        question=question,
        options=tuple(options),
        answer=Answer(text=gold, option=options.index(gold)),
        evidence=tuple(evidence),
        description=f"{' - '.join(part for part in (company, table_title(grid)) if part)}: {row.name} ({headings})",
        context=table_as_text(grid, company, keep={row.index}),
        template=template,
        generator=generator,
        source_figure=grid.figure.id,
    )
