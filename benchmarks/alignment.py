"""Image-question alignment against people's labels: the real chain with its real thresholds.

Usage: python benchmarks/alignment.py --data ../shared/data/charts [--cache FOLDER]
Prints ``align.top1.<source>`` and ``align.mrr.<source>`` (any of a question's labelled figures counts; ties by the
figures' order), and over all sources ``align.kept.precision`` and ``align.kept.coverage`` of what the thresholds keep.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from alignment_data import Case, load_cases

from finlmm_core.domain import Alignment
from finlmm_core.plugins.bases import Aligner
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.steps.align import AlignConfig, Ranked, decide, query_of, rank_figures


def chain_of(config: AlignConfig) -> list[Aligner]:
    """Return the configured aligners."""
    plugins = Plugins.load()
    chain: list[Aligner] = []
    for ref in config.aligners:
        plugin = plugins.get("aligner", ref.name)
        aligner = plugin(plugin.Options.model_validate(ref.options))
        assert isinstance(aligner, Aligner)
        chain.append(aligner)
    return chain


def rank_cases(cases: Sequence[Case], config: AlignConfig) -> list[list[Ranked]]:
    """Return each case's figures, best first; cases of one document are asked together."""
    chain = chain_of(config)
    together: dict[str, list[int]] = defaultdict(list)
    for number, case in enumerate(cases):
        together[case.document.id].append(number)
    rankings: list[list[Ranked]] = [[] for _ in cases]
    for numbers in together.values():
        queries = [query_of(cases[number].question) for number in numbers]
        found = rank_figures(cases[numbers[0]].document, queries, chain, [ref.weight for ref in config.aligners])
        for number, ranking in zip(numbers, found, strict=True):
            rankings[number] = ranking
    return rankings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with records.jsonl and images/")
    parser.add_argument("--cache", type=Path, help="folder where OCR texts are kept between runs")
    parser.add_argument("--ocr", default="rapidocr", help="OCR engine")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that read images")
    given = parser.parse_args()
    cases = load_cases(given.data, PluginRef(name=given.ocr), given.cache, given.workers)
    config = AlignConfig()
    rankings = rank_cases(cases, config)
    ranks: dict[str, list[float]] = defaultdict(list)
    kept: list[bool] = []
    kept_of: dict[str, list[bool]] = defaultdict(list)
    for case, ranking in zip(cases, rankings, strict=True):
        ids = [ranked.figure.id for ranked in ranking]
        places = [place for place, figure_id in enumerate(ids, start=1) if figure_id in case.gold]
        ranks[case.source].append(1 / places[0] if places else 0.0)
        decided = decide(case.question.id, ranking, config)
        if isinstance(decided, Alignment):
            kept.append(decided.figure_id in case.gold)
            kept_of[case.source].append(decided.figure_id in case.gold)
    for source, found in sorted(ranks.items()):
        line(f"align.top1.{source}", sum(one == 1.0 for one in found) / len(found), "share", len(found))
        line(f"align.mrr.{source}", sum(found) / len(found), "reciprocal rank", len(found))
        right = kept_of[source]
        line(f"align.kept.precision.{source}", sum(right) / len(right) if right else None, "share", len(right))
        line(f"align.kept.coverage.{source}", len(right) / len(found), "share", len(found))
    line("align.kept.precision", sum(kept) / len(kept) if kept else None, "share", len(kept))
    line("align.kept.coverage", len(kept) / len(cases), "share", len(cases))


def line(what: str, value: float | None, unit: str, n: int) -> None:
    """Print one measurement."""
    rounded = round(value, 4) if value is not None else None
    print(json.dumps({"what": what, "value": rounded, "unit": unit, "n": n}, ensure_ascii=False))


if __name__ == "__main__":
    main()
