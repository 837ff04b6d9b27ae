"""Choose the aligners' weights and the thresholds of what is kept, and say how well they would do on unseen reports.

Usage: python benchmarks/calibrate_alignment.py --data ../shared/data/charts [--run runs/dev] [--cache FOLDER]

Weights: a conditional logit over each question's candidates (which of them is the labelled one?) on the parts of the
aligner ``ocr`` in nats and the cosine of ``retrieval``, none negative, with a ridge; sources weigh equally. They are
fitted on four fifths of the reports and tried on the last, five times over, and then fitted on all.

Thresholds: the least margin (and then the greatest score) at which the questions kept are right in the share asked
for, with the weights now in the options. The table shows every margin, on the labelled charts and, with ``--run``, on
the questions of a run whose generator recorded the table it read.

Prints one JSON object a line; docs/alignment.md holds what was chosen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from alignment import chain_of, rank_cases
from alignment_data import Case, load_cases

from finlmm_core.plugins.refs import PluginRef, WeightedPluginRef
from finlmm_core.steps.align import AlignConfig, Ranked, query_of, rank_figures
from finlmm_core.steps.corpus import RunCorpus
from finlmm_core.steps.sources import read_sources

#: Parts of 'ocr' that labelled charts can tell something about; 'row' and 'title' need evidence and captions.
PARTS = (
    "words",
    "coverage",
    "brevity",
    "answer_words",
    "question_numbers",
    "numbers",
    "all_numbers",
    "periods",
    "derived",
)
MARGINS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2)


class Choice(NamedTuple):
    """One question: a row of features a candidate, and which rows are right."""

    source: str
    group: str
    features: np.ndarray
    right: np.ndarray


class Outcome(NamedTuple):
    """What the chain said of one question."""

    source: str
    score: float
    margin: float
    right: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with records.jsonl and images/")
    parser.add_argument("--run", type=Path, help="run folder with parsed reports and questions")
    parser.add_argument("--cache", type=Path, help="folder where OCR texts are kept between runs")
    parser.add_argument("--ocr", default="rapidocr", help="OCR engine")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that read images")
    parser.add_argument("--ridge", type=float, default=0.3, help="strength of the pull of the weights to zero")
    parser.add_argument("--precision", type=float, default=0.98, help="share of right ones among those kept")
    given = parser.parse_args()
    cases = load_cases(given.data, PluginRef(name=given.ocr), given.cache, given.workers)
    choices = list(choices_of(cases))
    cross_validate(choices, given.ridge)
    weights = fit(choices, given.ridge)
    say("calibrate.weights", {name: round(float(w), 2) for name, w in zip((*PARTS, "retrieval"), weights, strict=True)})
    config = AlignConfig()
    outcomes = [
        outcome
        for case, ranking in zip(cases, rank_cases(cases, config), strict=True)
        if (outcome := outcome_of(case.source, ranking, case.gold)) is not None
    ]
    sets = {"charts": outcomes}
    if given.run is not None:
        sets["run"] = list(outcomes_of_run(given.run, config))
    for name, found in sets.items():
        for margin in MARGINS:
            kept = [one for one in found if one.margin >= margin]
            precision = sum(one.right for one in kept) / len(kept) if kept else None
            say(f"calibrate.{name}.margin", {"margin": margin, **shares(precision, len(kept), len(found))})
        chosen = least_margin(found, given.precision)
        scores = sorted(one.score for one in found if one.right and one.margin >= chosen)
        # A floor that costs one right pair in a hundred.
        floor = scores[len(scores) // 100] if scores else 0.0
        say(f"calibrate.{name}.thresholds", {"min_margin": round(chosen, 3), "min_score": round(floor, 3)})


# -------------------------------------------------------------------------------------------------------- weights


def choices_of(cases: Sequence[Case]) -> Iterator[Choice]:
    """Yield each question with its parts, every option of 'ocr' that weighs one set to 1."""
    plain = dict.fromkeys((*PARTS, "row", "title"), 1.0)
    config = AlignConfig(
        aligners=(
            WeightedPluginRef(name="retrieval", options={"keep": 1000}),
            WeightedPluginRef(name="ocr", options={**plain, "keep": 1000}),
        )
    )
    for case, ranking in zip(cases, rank_cases(cases, config), strict=True):
        ranked = sorted(ranking, key=lambda one: one.figure.id)
        rows = [[*(one.signals.get(f"ocr.{part}", 0.0) for part in PARTS), one.signals["retrieval"]] for one in ranked]
        right = np.array([one.figure.id in case.gold for one in ranked])
        if right.any() and not right.all():
            yield Choice(case.source, case.group, np.array(rows), right)


def fit(choices: Sequence[Choice], ridge: float) -> np.ndarray:
    """Return the weights, none negative, that make the right candidates likeliest."""
    from scipy.optimize import minimize

    counts: dict[str, int] = defaultdict(int)
    for choice in choices:
        counts[choice.source] += 1

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = ridge * float(weights @ weights), 2 * ridge * weights
        for choice in choices:
            logits = choice.features @ weights
            odds = np.exp(logits - logits.max())
            chance = odds / odds.sum()
            hit = chance[choice.right].sum() + 1e-12
            share = 100 / counts[choice.source]
            total -= share * float(np.log(hit))
            slope = slope - share * (choice.features.T @ (np.where(choice.right, chance / hit, 0) - chance))
        return total, slope

    size = choices[0].features.shape[1]
    return minimize(loss, np.ones(size), jac=True, method="L-BFGS-B", bounds=[(0, None)] * size).x


def cross_validate(choices: Sequence[Choice], ridge: float, folds: int = 5) -> None:
    """Say how often the right candidate comes first in reports that the weights were not fitted on."""
    groups = sorted({choice.group for choice in choices})
    random.Random(0).shuffle(groups)
    fold_of = {group: number % folds for number, group in enumerate(groups)}
    hits: dict[str, list[bool]] = defaultdict(list)
    sure: list[tuple[float, bool]] = []
    for fold in range(folds):
        weights = fit([choice for choice in choices if fold_of[choice.group] != fold], ridge)
        for choice in choices:
            if fold_of[choice.group] == fold:
                logits = choice.features @ weights
                best = int(np.argmax(logits))
                hits[choice.source].append(bool(choice.right[best]))
                odds = np.exp(logits - logits.max())
                sure.append((float(odds[best] / odds.sum()), bool(choice.right[best])))
    for source, found in sorted(hits.items()):
        say(f"calibrate.held_out.top1.{source}", {"value": round(sum(found) / len(found), 4), "n": len(found)})
    sure.sort(key=lambda one: -one[0])
    rights = np.cumsum([right for _, right in sure]) / np.arange(1, len(sure) + 1)
    for coverage in (0.7, 0.75, 0.8, 0.85):
        precision = float(rights[int(coverage * len(sure)) - 1])
        say("calibrate.held_out.precision", {"coverage": coverage, "value": round(precision, 4), "n": len(sure)})


# ----------------------------------------------------------------------------------------------------- thresholds


def outcome_of(source: str, ranking: Sequence[Ranked], gold: frozenset[str]) -> Outcome | None:
    """Return best score and lead; None where the chain kept no figure."""
    if not ranking:
        return None
    best = ranking[0]
    rivals = [one for one in ranking[1:] if best.figure.image is None or one.figure.image != best.figure.image]
    margin = best.score - (rivals[0].score if rivals else 0.0)
    return Outcome(source, best.score, margin, best.figure.id in gold)


def outcomes_of_run(run: Path, config: AlignConfig) -> Iterator[Outcome]:
    """Yield the outcomes of a run's questions whose source is known."""
    chain = chain_of(config)
    for record in RunCorpus(run, read_sources(run)):
        questions = [question for question in record.questions if question.source_figure is not None]
        queries = [query_of(question) for question in questions]
        rankings = rank_figures(record.document, queries, chain, [ref.weight for ref in config.aligners])
        images = {figure.id: figure.image for figure in record.document.figures}
        for question, ranking in zip(questions, rankings, strict=True):
            source = question.source_figure or ""
            same = {key for key, image in images.items() if image is not None and image == images.get(source)}
            outcome = outcome_of(record.document.source, ranking, frozenset({source, *same}))
            if outcome is not None:
                yield outcome


def least_margin(outcomes: Sequence[Outcome], precision: float) -> float:
    """Return the least margin from which on the kept ones are right in at least this share."""
    ordered = sorted(outcomes, key=lambda one: -one.margin)
    chosen, right = 1.0, 0
    for number, one in enumerate(ordered, start=1):
        right += one.right
        if right / number >= precision:
            chosen = one.margin
    return chosen


def shares(precision: float | None, kept: int, asked: int) -> dict[str, object]:
    rounded = round(precision, 4) if precision is not None else None
    return {"precision": rounded, "coverage": round(kept / asked, 4) if asked else None, "n": kept}


def say(what: str, values: dict[str, object]) -> None:
    """Print one line."""
    print(json.dumps({"what": what, **values}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
