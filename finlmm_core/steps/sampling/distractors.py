"""Wrong images for the right one: random < same report < same company, other year < nearest by embedding."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

from finlmm_core.domain import Language, QAPair, Split
from finlmm_core.steps.sampling.chance import Chance
from finlmm_core.steps.sampling.config import SPLITS, SamplesConfig, Tier
from finlmm_core.steps.sampling.figures import FigureEntry, FigureIndex
from finlmm_core.steps.sampling.fits import Asked, asked, why_it_fits
from finlmm_core.steps.sampling.vector_index import build_index
from finlmm_core.steps.sampling.words import words_of

#: Which tier is asked when the wanted one has nothing to give.
FALLBACK: tuple[Tier, ...] = ("same_company", "nearest", "same_report", "random")
_CHARACTERS = 3000  # of a figure's text that enter its vector
_SAYS_SOMETHING = 3  # words and numbers that a figure needs for its text to be judged
_LOOK_AT = 48  # candidates of a tier that are looked at for one place
_EMBEDDED_AT_ONCE = 4096  # texts
_SEARCHED_AT_ONCE = 65_536  # right figures

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Embedder(Protocol):
    """Turns texts into unit vectors, after a look at the corpus."""

    def fit(self, texts: Sequence[str]) -> object:
        """Learn from the texts of the corpus what it takes to embed them one by one."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32 ``[texts, dimensions]``; a text gives the same vector whatever texts stand beside it."""


def embedder_named(name: str) -> Embedder:
    """Return the embedder that the options name: 'tfidf', or the folder or package of a sentence encoder."""
    from finlmm_core.embed import HashedTfIdf, SentenceEncoder

    if name == "tfidf":
        return HashedTfIdf()
    encoder = SentenceEncoder(name)
    encoder.check()
    return encoder


class Distractor(NamedTuple):
    """A wrong image and where it came from."""

    figure: FigureEntry
    tier: Tier


class NearestFigures:
    """For each right figure the figures of its split whose words are nearest, by cosine (see vector_index).

    One index a split, searched for all right figures at once; distractors never come from another split, so that no
    image of a held-out report is seen in training. Texts are embedded in pieces. What stays in memory is four bytes a
    neighbour.

    Args:
        index: the figures, with splits and what says the same filled in.
        gold: the right figures.
        embedder: fitted here, on the figures of each split.
        config: the step's options.
        scratch: a folder for the index of a large split; gone afterwards.
    """

    def __init__(
        self, index: FigureIndex, gold: Sequence[int], embedder: Embedder, config: SamplesConfig, scratch: Path
    ) -> None:
        self._index = index
        #: first of those that say the same -> its split and its row in ``_near``
        self._row_of: dict[int, tuple[Split, int]] = {}
        self._near: dict[Split, NDArray[np.int32]] = {}
        wanted: dict[Split, set[int]] = defaultdict(set)
        for number in gold:
            wanted[index.split_of(index.figures[number])].add(index.same[number])
        members: dict[Split, dict[int, int]] = defaultdict(dict)  # first of those that say the same -> the one here
        for figure in index.figures:
            if figure.text and index.at_home(figure):
                members[index.split_of(figure)].setdefault(index.same[figure.index], figure.index)
        for split in SPLITS:
            here = members[split]
            places = {first: place for place, first in enumerate(here) if first in wanted[split]}
            if not places or len(here) < 2:
                continue
            self._row_of.update({first: (split, row) for row, first in enumerate(places)})
            self._near[split] = self._search(list(here.values()), list(places.values()), embedder, config, scratch)

    def _search(
        self, inside: Sequence[int], places: Sequence[int], embedder: Embedder, config: SamplesConfig, scratch: Path
    ) -> NDArray[np.int32]:
        """Return int32 ``[places, neighbours]``: the figures nearest to those at places of ``inside``, -1 for none."""
        import numpy as np

        texts = _Texts(self._index, inside)
        embedder.fit(texts)
        pieces = (
            embedder.embed(texts[start : start + _EMBEDDED_AT_ONCE])
            for start in range(0, len(texts), _EMBEDDED_AT_ONCE)
        )
        count = min(config.neighbours + 1, len(inside))
        numbers = np.array([*inside, -1], dtype=np.int32)  # the last for -1: no such row
        near = np.empty((len(places), count), dtype=np.int32)
        vectors = build_index(pieces, len(inside), scratch, config.exact_search_up_to)
        try:
            for start in range(0, len(places), _SEARCHED_AT_ONCE):
                part = np.array(places[start : start + _SEARCHED_AT_ONCE], dtype=np.int64)
                found = vectors.nearest(part, count)
                found[found == part[:, None]] = -1
                near[start : start + len(part)] = numbers[found]
        finally:
            vectors.close()
        return near

    def of(self, figure: int) -> list[int]:
        """Return the nearest figures, nearest first, the figure itself left out."""
        if (place := self._row_of.get(self._index.same[figure])) is None:
            return []
        split, row = place
        return [number for number in self._near[split][row].tolist() if number >= 0]


class _Texts(Sequence[str]):
    """What figures say, as far as it enters their vectors; cut when it is asked for, so that no copies are held."""

    def __init__(self, index: FigureIndex, numbers: Sequence[int]) -> None:
        self._index = index
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self._index.figures[number].text[:_CHARACTERS] for number in self._numbers[place]]
        return self._index.figures[self._numbers[place]].text[:_CHARACTERS]


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
        firsts = {index.same[number] for number in gold}
        # by figure, for the loops below: they look at a hundred figures a wrong image
        self._is_gold = [first in firsts for first in index.same]
        self._may_stand = [index.at_home(figure) for figure in index.figures]
        self._language = [index.reports[figure.report].language for figure in index.figures]
        self._kind = [figure.kind for figure in index.figures]
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
        same, languages, may_stand = self._index.same, self._language, self._may_stand
        understood = (language, None)
        candidates = [
            number
            for number in self._candidates(tier, language, right, chance)
            if may_stand[number] and (language is None or languages[number] in understood) and same[number] not in taken
        ]
        if tier != "nearest":  # the nearest come in their own order
            kinds, is_gold, kind = self._kind, self._is_gold, right.kind
            candidates.sort(key=lambda n: (want_kind and kinds[n] != kind) + (want_gold and not is_gold[n]))
        figures = self._index.figures
        return next((figures[number] for number in candidates if not fits(figures[number])), None)

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
            below, group = chance.below, report.group
            for _ in range(_LOOK_AT if reports else 0):
                other = reports[below(len(reports))]
                inside = index.by_report[other]
                number = inside[below(len(inside))]
                if index.reports[other].group != group:
                    yield number
