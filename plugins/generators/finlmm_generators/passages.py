"""Generator ``passages``: why figures moved (from the report's prose), and what the terms that figures show mean."""
# ruff: noqa: E501 - wordings and rejections are easier to read on one line

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from random import Random

from pydantic import Field

from finlmm_core.domain import Answer, Document, Evidence, Language, QAPair, QuestionType, Rejected, content_id
from finlmm_core.plugins.bases import Generator, PluginOptions
from finlmm_core.quantities import find_numbers, find_periods
from finlmm_generators.causes import Cause, find_causes
from finlmm_generators.glossary import fold
from finlmm_generators.grid import Grid
from finlmm_generators.knowledge import knowledge_questions
from finlmm_generators.labels import clean, is_nonsense, sentence_case
from finlmm_generators.leaks import leaks_answer, names_position
from finlmm_generators.naming import company_name, document_language
from finlmm_generators.reading import read_grid
from finlmm_generators.shown import Shown, named_labels, shown_in

_WORDINGS: dict[tuple[Language, str], tuple[str, ...]] = {
    ("en", "clause"): (
        "{h}{c} reports that {e}. Which reason is given for this?",
        "{h}{c} states that {e}. What is named as the main cause?",
        "{h}what explains, according to {o} report, that {e}?",
        "{h}it is reported that {e}. What drove this development at {c}?",
        "{h}according to {c}, {e}. To what is this attributed?",
        "{h}why, in the words of {o} report, is it that {e}?",
    ),
    ("en", "noun"): (
        "{h}what was, according to {c}, the main reason for {e}?",
        "{h}to what does {c} attribute {e}?",
        "{h}what does {o} report name as the cause of {e}?",
        "{h}which factor explains {e}, as reported by {c}?",
        "{h}what drove {e} at {c}?",
    ),
    ("zh", "clause"): (
        "{h}{c}披露：{e}。报告给出的主要原因是什么？",
        "{h}{c}的报告指出，{e}。其主要驱动因素是什么？",
        "{h}根据{c}的报告，{e}，这归因于什么？",
        "{h}报告称，{e}（{c}）。造成这一变化的原因是？",
        "{h}{c}的报告如何解释“{e}”这一变化？",
    ),
}
#: Terms that say how a change is measured, not what changed.
_MEASURES = frozenset(("yoy", "qoq", "cagr", "constant_currency", "organic_growth"))
_COMMON = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "in",
        "to",
        "and",
        "or",
        "for",
        "by",
        "from",
        "with",
        "on",
        "at",
        "as",
        "is",
        "was",
        "were",
        "are",
        "be",
        "been",
        "our",
        "its",
        "their",
        "company's",
        "company",
        "higher",
        "lower",
        "increase",
        "increased",
        "increases",
        "decrease",
        "decreased",
        "decreases",
        "primarily",
        "due",
        "net",
        "total",
        "year",
        "prior",
        "partially",
        "offset",
        "change",
        "changes",
        "related",
        "certain",
        "including",
        "other",
        "well",
        "also",
        "driven",
        "result",
        "growth",
        "impact",
    ]
)


class PassagesOptions(PluginOptions):
    """How many questions the prose and the glossary give."""

    explanations_per_document: int = Field(
        default=60, ge=0, le=10_000, description="most explanation questions a report"
    )
    knowledge_per_document: int = Field(default=24, ge=0, le=1_000, description="most glossary questions a report")
    knowledge_per_figure: int = Field(
        default=2, ge=1, le=50, description="most glossary questions that rest on one figure"
    )
    near_pages: int = Field(
        default=1,
        ge=0,
        le=20,
        description="pages between a statement and a figure with the same term, where no number ties them",
    )
    seed: int = Field(default=0, description="chooses wordings, wrong options and their order")


class PassagesGenerator(Generator):
    """Asks why what a figure shows moved, and what the financial terms in figures mean."""

    name = "passages"
    version = "1"
    Options = PassagesOptions
    options: PassagesOptions

    def generate(self, document: Document) -> Iterable[QAPair | Rejected]:
        """Yield explanation questions in the order of the prose, then knowledge questions in the order of the figures."""
        language = document_language(document)
        figures = {figure.id: figure for figure in document.figures}
        grids = {
            table.figure_id: read_grid(table, figures[table.figure_id], language, document.meta.title)
            for table in document.tables
            if table.figure_id in figures and len(table.header) > 1
        }
        yield from self._explanations(document, language, grids)
        yield from knowledge_questions(
            document,
            language,
            list(grids.values()),
            most=self.options.knowledge_per_document,
            per_figure=self.options.knowledge_per_figure,
            seed=self.options.seed,
            generator=self.name,
        )

    # ------------------------------------------------------------------------------------------- explanations

    def _explanations(
        self, document: Document, language: Language, grids: dict[str, Grid]
    ) -> Iterator[QAPair | Rejected]:
        causes = list(find_causes(document, language))
        shown = shown_in(document, grids, language)
        company = company_name(document) or ("公司" if language == "zh" else "the company")
        ties = [self._tied(cause, shown) for cause in causes]
        topics = [
            {
                *(key for key in cause.terms if key not in _MEASURES),
                *(fold(label) for _, labels, _ in tied for label in labels),
            }
            for cause, tied in zip(causes, ties, strict=True)
        ]
        kept = 0
        for number, cause in enumerate(causes):
            if kept >= self.options.explanations_per_document:
                return
            item_id = content_id(document.id, cause.page, cause.effect)
            tied = ties[number]
            if not tied:
                yield Rejected(
                    step="generate", item_id=item_id, reason="not_shown_by_a_figure", detail=cause.effect[:200]
                )
                continue
            random = Random(content_id(self.options.seed, document.id, cause.page, cause.effect))
            wrong = _wrong_causes(number, causes, topics, random, language)
            if wrong is None:
                yield Rejected(
                    step="generate", item_id=item_id, reason="too_few_other_causes", detail=cause.effect[:200]
                )
                continue
            item = self._question(document, cause, wrong, tied, company, language, random)
            if isinstance(item, str):
                yield Rejected(step="generate", item_id=item_id, reason=item, detail=cause.sentence[:200])
                continue
            kept += 1
            yield item

    def _tied(self, cause: Cause, shown: list[Shown]) -> list[tuple[Shown, list[str], bool]]:
        """Return the figures that show what the effect names: with the labels named, and whether a number matches too."""
        numbers = [n for n in find_numbers(cause.effect) if n.unit or n.currency or n.scale > 1 or n.decimals]
        years = {period.year for period in find_periods(cause.effect)}
        tied = []
        for item in shown:
            labels = named_labels(item, cause.effect)
            # A figure without the label may still show the term under another name ('revenue' for 'net sales').
            named = [key for key in cause.terms if key not in _MEASURES]
            same_term = any(key in item.terms for key in named)
            if not labels and not same_term:
                continue
            matched = any(item.holds(number) for number in numbers)
            dated = bool(labels) and bool(years) and years <= item.years
            near = abs(item.figure.page - cause.page) <= self.options.near_pages
            # A number alone is found in many figures, and so is a term: without a label both must hold, and close by.
            if (matched or dated or near) if labels else (matched and near):
                tied.append((item, labels, matched))
        return tied

    def _question(
        self,
        document: Document,
        cause: Cause,
        wrong: list[str],
        tied: list[tuple[Shown, list[str], bool]],
        company: str,
        language: Language,
        random: Random,
    ) -> QAPair | str:
        wordings = _WORDINGS[language, cause.shape]
        number = random.randrange(len(wordings))
        heading = _heading(cause.heading, language)
        owner = f"{company}'" if company.endswith("s") else f"{company}'s"
        question = wordings[number].format(e=cause.effect, c=company, o=owner, h=heading)
        question = question[:1].upper() + question[1:]
        if names_position(question):
            return "names_position"
        if leaks_answer(question, cause.cause):
            return "answer_in_question"
        options = [cause.cause, *wrong]
        random.shuffle(options)
        sure = [entry for entry in tied if entry[2] and entry[1]]
        best = sure[0] if len(sure) == 1 else None
        first = (sure or tied)[0]
        periods = [period.text for period in find_periods(cause.effect)]
        printed = [n.text for n in find_numbers(cause.effect) if n.unit or n.currency or n.decimals]
        labels = list(dict.fromkeys([*first[1][:2], *periods]))
        named = clean(first[0].figure.caption)
        evidence = [
            Evidence(name="effect", text=cause.effect, labels=tuple(labels), page=cause.page, box=cause.box),
            Evidence(name="cause", text=cause.cause, page=cause.page, box=cause.box),
        ]
        for place, text in enumerate(dict.fromkeys(printed)):
            evidence.append(
                Evidence(
                    name=f"number{place + 1}",
                    text=text,
                    value=_value(text),
                    labels=tuple(labels),
                    page=cause.page,
                    box=cause.box,
                )
            )
        template = f"cause_{cause.shape}/{number + 1}"
        return QAPair(
            id=content_id(document.id, self.name, template, question, options),
            document_id=document.id,
            type=QuestionType.FINANCIAL_EXPLANATION,
            language=language,
            question=question,
            options=tuple(options),
            answer=Answer(text=cause.cause, option=options.index(cause.cause)),
            evidence=tuple(evidence),
            description="; ".join(part for part in (named, ", ".join(labels), cause.effect) if part),
            context=cause.paragraph,
            template=template,
            generator=self.name,
            source_figure=best[0].figure.id if best else None,
        )


def _value(text: str) -> float | None:
    numbers = find_numbers(text)
    return float(numbers[0].value) if numbers else None


def _heading(heading: str, language: Language) -> str:
    """Return 'On "Consumer Business", ' where the heading is a short name, else ''."""
    text = clean(re.sub(r"\([^)]*\)|[$€£¥]\s?[A-Za-z]{0,2}\b", " ", heading))
    if language == "zh":
        return f"在“{text}”部分，" if 2 <= len(text) <= 16 and not re.search(r"\d|图|表|[。，：]", text) else ""
    if text.isupper():
        text = sentence_case(text)
    if len(re.findall(r"\b[A-Z]{4,}\b", text)) >= 2:
        return ""  # two headings run into one
    if (
        len(text) > 60
        or re.match(r"on\b", text, re.IGNORECASE)
        or is_nonsense(text)
        or not 1 <= len(text.split()) <= 7
        or re.search(r"\d|\bitem\b|\bpart\b|table|discussion|results of", text, re.IGNORECASE)
    ):
        return ""
    return f'On "{text}", '


def _content_words(text: str, language: Language) -> set[str]:
    if language == "zh":
        plain = re.sub(r"[^\u4e00-\u9fff]", "", text)
        return {plain[i : i + 2] for i in range(len(plain) - 1)}
    return {re.sub(r"(?:s|ed|ing)\Z", "", word) for word in fold(text).split() if word not in _COMMON and len(word) > 2}


def _wrong_causes(
    number: int, causes: list[Cause], topics: list[set[str]], random: Random, language: Language
) -> list[str] | None:
    """Return three causes stated elsewhere for other things, none of which can hold here too.

    A cause is left out where it is of the same paragraph or of the same term, or shares words with the right cause or
    with the paragraph that it stands in. Lengths are drawn so that the right one has no telling place among them.
    """
    cause = causes[number]
    own = _content_words(cause.cause, language)
    around = _content_words(cause.paragraph, language)
    usable: list[str] = []
    for other_number, other in enumerate(causes):
        if other_number == number or other.paragraph == cause.paragraph:
            continue
        if topics[number] & topics[other_number]:
            continue
        words = _content_words(other.cause, language)
        if len(words) < 2 or len(words & own) > 0.2 * min(len(words), len(own)):
            continue
        if len(words & around) > 0.6 * len(words):
            continue
        ratio = len(other.cause) / len(cause.cause)
        if 0.4 <= ratio <= 2.5 and other.cause not in usable:
            usable.append(other.cause)
    random.shuffle(usable)
    chosen: list[str] = []
    for text in usable:
        words = _content_words(text, language)
        if all(len(words & _content_words(c, language)) <= 0.5 * len(words) for c in chosen):
            chosen.append(text)
        if len(chosen) >= 12:
            break
    shorter = [text for text in chosen if len(text) < len(cause.cause)]
    longer = [text for text in chosen if len(text) >= len(cause.cause)]
    places = [place for place in range(4) if place <= len(shorter) and 3 - place <= len(longer)]
    if not places:
        return None
    place = places[random.randrange(len(places))]
    return shorter[:place] + longer[: 3 - place]
