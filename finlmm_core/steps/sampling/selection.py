"""Which questions become samples: checks, duplicates, leaks between splits, caps. Every drop has a reason."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from finlmm_core.domain import QAPair, Split, content_id
from finlmm_core.steps.sampling.chance import unit
from finlmm_core.steps.sampling.config import SamplesConfig
from finlmm_core.steps.sampling.figures import FigureEntry, FigureIndex, Report
from finlmm_core.steps.sampling.rows import SampleKind
from finlmm_core.steps.sampling.splits import owner
from finlmm_core.steps.sampling.words import comparable, fold, numbers_in, words_of

#: Called with a question's id, a reason and what was seen.
Reject = Callable[[str, str, str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question as far as selection needs it; the question itself stays on disk."""

    qa_id: str
    report: int
    type: str
    family: str  # template without its wording: what balance is kept over
    rank: float  # chance order
    question_key: str
    facts_key: str
    repeat_key: str
    context_key: str | None  # None: cannot be a text-only sample
    figure: int | None  # the right figure; None: not aligned
    score: float
    margin: float


def fault_of(question: QAPair) -> tuple[str, str] | None:
    """Return why a question cannot be a sample of any kind, as reason and detail; None where it can."""
    options = [comparable(option) or fold(option) for option in question.options]
    if not 2 <= len(options) <= 10:
        return "options_missing", f"{len(options)} options"
    if not 0 <= question.answer.option < len(options):
        return "answer_not_an_option", f"option {question.answer.option} of {len(options)}"
    # compared with signs: '-5%' and '5%' are two answers
    if len({"".join(fold(option).split()) for option in question.options}) < len(options):
        return "options_alike", " | ".join(question.options)
    return None


def text_fault_of(question: QAPair, config: SamplesConfig) -> tuple[str, str] | None:
    """Return why a question cannot be a text-only sample, as reason and detail; None where it can."""
    if not question.context.strip():
        return "text_no_context", ""
    if len(question.context) > config.max_context_characters:
        return "text_context_too_long", f"{len(question.context)} characters"
    there = words_of(question.context).numbers
    for evidence in question.evidence:
        if evidence.value is not None and not set(numbers_in(fold(evidence.text))) <= there:
            return "text_context_lacks_evidence", f"{evidence.name} = {evidence.text}"
    return None


def candidate(
    question: QAPair,
    report: Report,
    right: FigureEntry | None,
    score: float,
    margin: float,
    has_context: bool,
    seed: int,
) -> Candidate:
    """Return what selection needs to know of a question."""
    words = comparable(question.question)
    answer = comparable(question.answer.text)
    cells = [
        [e.name, fold(e.text), *map(comparable, e.labels)] if e.value is not None else [fold(e.text)]
        for e in question.evidence
    ]
    printed = [fold(e.text) for e in question.evidence if e.value is not None]
    return Candidate(
        qa_id=question.id,
        report=report.index,
        type=question.type.value,
        family=sys.intern(question.template.split("/")[0]),
        rank=unit("rank", seed, question.id),
        question_key=content_id(report.group, question.language, words, answer),
        facts_key=content_id(report.group, question.language, question.type.value, question.program, cells, answer),
        repeat_key=content_id(question.language, words, answer, printed),
        context_key=content_id(comparable(question.context)) if has_context else None,
        figure=None if right is None else right.index,
        score=score,
        margin=margin,
    )


def without_duplicates(candidates: Sequence[Candidate], config: SamplesConfig, reject: Reject) -> list[Candidate]:
    """Return the candidates without those that ask the same of the same company, or once more of another.

    Of duplicates the one with a figure and the widest margin is kept.
    """
    order = sorted(
        range(len(candidates)),
        key=lambda i: (candidates[i].figure is None, -round(candidates[i].margin, 3), candidates[i].rank),
    )
    questions: dict[str, str] = {}
    facts: dict[str, str] = {}
    repeats: Counter[str] = Counter()
    kept: set[int] = set()
    for index in order:
        item = candidates[index]
        if item.question_key in questions:
            reject(item.qa_id, "duplicate_question", f"as {questions[item.question_key]}")
        elif item.facts_key in facts:
            reject(item.qa_id, "same_program_and_cells", f"as {facts[item.facts_key]}")
        elif repeats[item.repeat_key] >= config.max_repeats:
            reject(item.qa_id, "repeated_in_other_reports", f"more than {config.max_repeats} times")
        else:
            questions[item.question_key] = facts[item.facts_key] = item.qa_id
            repeats[item.repeat_key] += 1
            kept.add(index)
    return [item for index, item in enumerate(candidates) if index in kept]


def without_leaks(
    candidates: Sequence[Candidate], index: FigureIndex, config: SamplesConfig, seed: int, reject: Reject
) -> list[Candidate]:
    """Return the candidates that share no question, context or figure with another split.

    What is found in several splits stays in one of them, chosen by hash.
    """
    splits_of: dict[str, set[Split]] = defaultdict(set)

    def keys(item: Candidate) -> list[str]:
        return [item.repeat_key] + ([item.context_key] if item.context_key else [])

    for item in candidates:
        for key in keys(item):
            splits_of[key].add(index.splits[item.report])
    kept = []
    for item in candidates:
        split = index.splits[item.report]
        foreign = [
            key
            for key in keys(item)
            if len(splits_of[key]) > 1 and owner(key, splits_of[key], config.splits, seed) != split
        ]
        if item.figure is not None and not index.at_home(index.figures[item.figure]):
            reject(item.qa_id, "figure_in_other_split", f"figure {index.figures[item.figure].id}")
        elif foreign:
            what = "question" if foreign[0] == item.repeat_key else "context"
            reject(item.qa_id, f"{what}_in_other_split", f"kept out of {split}")
        else:
            kept.append(item)
    return kept


def within_caps(
    candidates: Iterable[Candidate], kind: SampleKind, index: FigureIndex, config: SamplesConfig, reject: Reject
) -> list[Candidate]:
    """Return the candidates that stay under the caps a report and a figure (or context) and the share of a type.

    A report's samples are dealt out in turn over question types, and within a type over templates, so that a cap
    cuts what there is most of.
    """
    prefix = "text_" if kind == "text" else ""
    most = config.max_text_per_document if kind == "text" else config.max_per_document
    most_of_one = config.max_text_per_context if kind == "text" else config.max_per_figure
    per_report: dict[int, list[Candidate]] = defaultdict(list)
    for item in candidates:
        per_report[item.report].append(item)
    kept: list[Candidate] = []
    for report in sorted(per_report):
        used: Counter[object] = Counter()
        taken = 0
        for item in _in_turn(per_report[report]):
            one = item.context_key if kind == "text" else index.same[item.figure or 0]
            if taken >= most:
                reject(item.qa_id, f"{prefix}over_report_cap", f"more than {most}")
            elif used[one] >= most_of_one:
                what = "context" if kind == "text" else "figure"
                reject(item.qa_id, f"{prefix}over_{what}_cap", f"more than {most_of_one}")
            else:
                used[one] += 1
                taken += 1
                kept.append(item)
    return _within_type_share(kept, prefix, index, config, reject)


def _in_turn(items: Sequence[Candidate]) -> list[Candidate]:
    by_type: dict[str, dict[str, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for item in sorted(items, key=lambda c: (c.rank, c.qa_id)):
        by_type[item.type][item.family].append(item)
    place: list[tuple[int, float, Candidate]] = []
    for families in by_type.values():
        turn: list[tuple[int, float, Candidate]] = []
        for family in families.values():
            turn.extend((number, item.rank, item) for number, item in enumerate(family))
        turn.sort(key=lambda t: (t[0], t[1]))
        place.extend((number, item.rank, item) for number, (_, _, item) in enumerate(turn))
    place.sort(key=lambda t: (t[0], t[1]))
    return [item for _, _, item in place]


def _within_type_share(
    items: Sequence[Candidate], prefix: str, index: FigureIndex, config: SamplesConfig, reject: Reject
) -> list[Candidate]:
    if config.max_type_share >= 1:
        return list(items)
    share = config.max_type_share
    dropped: set[str] = set()
    for split in ("train", "validation", "test"):
        inside = [item for item in items if index.splits[item.report] == split]
        counts = Counter(item.type for item in inside)
        for kind, count in sorted(counts.items()):
            allowed = max(1, int(share / (1 - share) * (len(inside) - count)))
            ranked = sorted((item for item in inside if item.type == kind), key=lambda c: (c.rank, c.qa_id))
            for item in ranked[allowed:]:
                dropped.add(item.qa_id)
                reject(item.qa_id, f"{prefix}over_type_share", f"{kind} more than {share:.0%} of {split}")
    return [item for item in items if item.qa_id not in dropped]
