"""Wrong images for the right one: random < same report < same company, other year < nearest by embedding."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from finlmm_core.domain import Language, QAPair, Split
from finlmm_core.steps.sampling.chance import Chance
from finlmm_core.steps.sampling.config import SPLITS, SamplesConfig, Tier
from finlmm_core.steps.sampling.figures import FigureEntry, FigureIndex
from finlmm_core.steps.sampling.fits import Asked, asked, why_it_fits
from finlmm_core.steps.sampling.words import words_of

#: Which tier is asked when the wanted one has nothing to give.
FALLBACK: tuple[Tier, ...] = ("same_company", "nearest", "same_report", "random")
_CHARACTERS = 3000  # of a figure's text that enter its vector
_SAYS_SOMETHING = 3  # words and numbers that a figure needs for its text to be judged
_LOOK_AT = 48  # candidates of a tier that are looked at for one place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Turns texts into unit vectors, float32 [texts, dimensions].
Embed = Callable[[Sequence[str]], "NDArray[np.float32]"]


def embedder_named(name: str) -> Embed:
    """Return the embedder that the options name: 'tfidf', or the folder or package of a sentence encoder."""
    from finlmm_core.embed import SentenceEncoder, embed_corpus

    if name == "tfidf":
        return embed_corpus
    encoder = SentenceEncoder(name)
    encoder.check()
    return encoder.embed


class Distractor(NamedTuple):
    """A wrong image and where it came from."""

    figure: FigureEntry
    tier: Tier


class NearestFigures:
    """For each figure the figures of its split whose words are nearest, by cosine, in FAISS.

    One search a split, over all right figures at once; distractors never come from another split, so that no image of
    a held-out report is seen in training.
    """

    def __init__(self, index: FigureIndex, gold: Sequence[int], embed: Embed, config: SamplesConfig) -> None:
        self._index = index
        self._found: dict[int, list[int]] = {}
        wanted: dict[Split, set[int]] = defaultdict(set)
        for number in gold:
            wanted[index.split_of(index.figures[number])].add(index.same[number])
        members: dict[Split, dict[int, int]] = defaultdict(dict)  # first of those that say the same -> the one here
        for figure in index.figures:
            if figure.text and index.at_home(figure):
                members[index.split_of(figure)].setdefault(index.same[figure.index], figure.index)
        for split in SPLITS:
            here = members[split]
            places = [place for place, first in enumerate(here) if first in wanted[split]]
            if not places or len(here) < 2:
                continue
            inside = list(here.values())
            firsts = list(here)
            vectors = embed([index.figures[number].text[:_CHARACTERS] for number in inside])
            count = min(config.neighbours + 1, len(inside))
            found = search(vectors, vectors[places], count, config.exact_search_up_to)
            for place, row in zip(places, found, strict=True):
                self._found[firsts[place]] = [inside[near] for near in row if near >= 0 and near != place]

    def of(self, figure: int) -> list[int]:
        """Return the nearest figures, nearest first, the figure itself left out."""
        return self._found.get(self._index.same[figure], [])


def search(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], count: int, exact_up_to: int
) -> NDArray[np.int64]:
    """Return for each query the rows of the nearest vectors by inner product, -1 where there are fewer.

    Exact (flat) up to ``exact_up_to`` vectors; above, inverted lists (4 sqrt(n) lists, 16 of them searched), trained
    on at most 64 vectors a list with FAISS's fixed seed and on one thread, so that the result is the same every time.
    """
    import faiss

    index: Any
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        dimensions = vectors.shape[1]
        if len(vectors) <= exact_up_to:
            index = faiss.IndexFlatIP(dimensions)
        else:
            lists = max(1, int(4 * len(vectors) ** 0.5))
            quantizer = faiss.IndexFlatIP(dimensions)
            index = faiss.IndexIVFFlat(quantizer, dimensions, lists, faiss.METRIC_INNER_PRODUCT)
            index.cp.max_points_per_centroid = 64
            index.train(vectors)
            index.nprobe = min(16, lists)
        index.add(vectors)
        found: NDArray[np.int64] = index.search(queries, count)[1]
    finally:
        faiss.omp_set_num_threads(threads)
    return found


def overlaps(one: FigureEntry, other: FigureEntry) -> bool:
    """Return whether two figures of one page share a part: a panel and its whole, a table found twice.

    A tenth of the smaller one is enough; less is the slack of boxes that stand close.
    """
    if (one.report, one.page) != (other.report, other.page):
        return False
    smaller = min(one.box.area, other.box.area)
    return smaller > 0 and one.box.overlap(other.box) > 0.1 * smaller


class DistractorChooser:
    """Chooses the wrong images of each sample, and counts what it refused and why."""

    def __init__(
        self, index: FigureIndex, gold: Sequence[int], nearest: NearestFigures, config: SamplesConfig, seed: int
    ) -> None:
        self._index = index
        self._nearest = nearest
        self._config = config
        self._seed = seed
        self._gold = {index.same[g] for g in gold}
        self._reports: dict[tuple[Split, str | None], list[int]] = defaultdict(list)
        for report in index.reports:
            if index.by_report[report.index]:
                self._reports[index.splits[report.index], report.language].append(report.index)
                if report.language is not None:
                    self._reports[index.splits[report.index], None].append(report.index)
        #: reason -> how many candidates were refused for it
        self.refused: Counter[str] = Counter()

    def choose(self, question: QAPair, right: FigureEntry) -> list[Distractor]:
        """Return the wrong images for a question, as many as wanted, or as many as there are that may stand there."""
        config = self._config
        chance = Chance("distractors", self._seed, question.id)
        wanted = config.max_distractors
        if config.vary_distractors:
            wanted = config.min_distractors + chance.below(config.max_distractors - config.min_distractors + 1)
        taken = {self._index.same[right.index]}
        need = asked(question)
        chosen: list[Distractor] = []
        verdicts: dict[int, bool] = {}

        def fits(candidate: FigureEntry) -> bool:
            if candidate.index not in verdicts:
                reason = self._why_not(candidate, right, need)
                if reason is not None:
                    self.refused[reason] += 1
                verdicts[candidate.index] = reason is not None
            return verdicts[candidate.index]

        language = self._index.reports[right.report].language
        for _ in range(wanted):
            first = self._draw_tier(chance)
            order = (first, *(other for other in FALLBACK if other != first))
            # a figure in another language is told apart at a glance: only where nothing else is left
            for tier, any_language in [(tier, False) for tier in order] + [("random", True)]:
                found = self._first_that_may_stand(tier, None if any_language else language, right, taken, fits, chance)
                if found is not None:
                    taken.add(self._index.same[found.index])
                    chosen.append(Distractor(found, tier))
                    break
        return chosen

    def _why_not(self, candidate: FigureEntry, right: FigureEntry, need: Asked) -> str | None:
        """Return why a figure may not stand beside the right one, None where it may."""
        if overlaps(candidate, right):
            return "part_of_the_right_figure"
        groups = [self._index.reports[figure.report].group for figure in (candidate, right)]
        if groups[0] == groups[1] and len(words_of(candidate.text).content) < _SAYS_SOMETHING:
            return "says_nothing"  # of another company it cannot be the figure meant; of this one nobody knows
        return why_it_fits(need, candidate.text)

    def _draw_tier(self, chance: Chance) -> Tier:
        shares = self._config.tiers
        order: tuple[Tier, ...] = ("random", "same_report", "same_company", "nearest")
        point = chance.uniform() * sum(shares.of(tier) for tier in order)
        for tier in order:
            point -= shares.of(tier)
            if point < 0:
                return tier
        return next(tier for tier in reversed(order) if shares.of(tier) > 0)

    def _first_that_may_stand(
        self,
        tier: Tier,
        language: Language | None,
        right: FigureEntry,
        taken: set[int],
        fits: Callable[[FigureEntry], bool],
        chance: Chance,
    ) -> FigureEntry | None:
        want_kind = chance.uniform() < self._config.same_kind
        want_gold = chance.uniform() < self._config.also_gold
        candidates: list[FigureEntry] = []
        for number in self._candidates(tier, language, right, chance):
            candidate = self._index.figures[number]
            if language is not None and self._index.reports[candidate.report].language not in (language, None):
                continue
            if self._index.same[number] in taken or not self._index.at_home(candidate):
                continue
            candidates.append(candidate)
        if tier != "nearest":  # the nearest come in their own order
            candidates.sort(
                key=lambda c: (
                    (want_kind and c.kind != right.kind) + (want_gold and self._index.same[c.index] not in self._gold)
                )
            )
        return next((candidate for candidate in candidates if not fits(candidate)), None)

    def _candidates(self, tier: Tier, language: Language | None, right: FigureEntry, chance: Chance) -> Iterator[int]:
        index = self._index
        report = index.reports[right.report]
        if tier == "nearest":
            yield from self._nearest.of(right.index)
        elif tier == "same_report":
            yield from chance.some([n for n in index.by_report[report.index] if n != right.index], _LOOK_AT)
        elif tier == "same_company":
            others = [
                figure
                for other in index.by_group[report.group]
                if other != report.index and index.reports[other].year != report.year
                for figure in index.by_report[other]
            ]
            yield from chance.some(others, _LOOK_AT)
        else:
            reports = self._reports[index.splits[report.index], language]
            for _ in range(_LOOK_AT if reports else 0):
                other = reports[chance.below(len(reports))]
                inside = index.by_report[other]
                number = inside[chance.below(len(inside))]
                if index.reports[other].group != report.group:
                    yield number
