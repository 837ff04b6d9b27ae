"""Charts of 28 x 28 pixels, and questions that only the right one of several answers.

A chart shows one company's profit: a bar in the company's colour, whose height is the profit. A question names the
company, so whoever cannot tell its chart from the others cannot read the value either. Companies come in pairs of like
colours ("Red" and "Ruby"): the twin of the company that is asked about is the near distractor. Colours are printed a
little lighter or darker, so one company's charts are not all alike; some pairs are easier to tell apart than others.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

#: Companies and the colours of their bars; each stands beside its twin. The first pair is the hardest to tell apart.
COMPANIES: dict[str, tuple[int, int, int]] = {
    "Red": (210, 40, 55),
    "Ruby": (196, 38, 70),
    "Blue": (40, 85, 215),
    "Navy": (35, 60, 165),
    "Green": (30, 150, 60),
    "Lime": (95, 190, 50),
}
UNIT = 10  # of a profit; so that no profit is written like the number of an image
SIDE = 28  # pixels; one token of a Qwen-VL model
EDGE = 4  # pixels left free beside a bar
LETTERS = "ABCD"


class World(NamedTuple):
    """How hard the questions are."""

    levels: int = 4  # profits are 10, 20 ...; a bar of the highest fills the chart
    companies: int = 6
    images: int = 2
    twins: float = 0.5  # chance that the twin of the company asked about is among the distractors
    tone: int = 15  # a colour is printed lighter or darker by up to this much, of 255


WORLD = World()


class Chart(NamedTuple):
    """What a chart shows and how it is printed."""

    company: str
    profit: int
    tone: int  # added to red, green and blue


class Question(NamedTuple):
    """A question with its charts; ``gold`` is the place of the right one, from 0."""

    charts: tuple[Chart, ...]
    gold: int
    options: tuple[str, ...]

    @property
    def company(self) -> str:
        return self.charts[self.gold].company

    @property
    def text(self) -> str:
        return question_about(self.company)

    @property
    def answer(self) -> str:
        return str(self.charts[self.gold].profit)

    @property
    def letter(self) -> str:
        return LETTERS[self.options.index(self.answer)]

    @property
    def thinking(self) -> str:
        """What a careful reader writes: each chart's company and profit, then which chart is asked about."""
        seen = " ".join(
            f"Image {place}: {chart.company} {chart.profit}." for place, chart in enumerate(self.charts, start=1)
        )
        return f"{seen} {self.company} is image {self.gold + 1}."


def question_about(company: str) -> str:
    """Return what is asked."""
    return f"What was the profit of {company}?"


def draw_question(chance: random.Random, world: World = WORLD) -> Question:
    """Return a question about one of several charts, all of different companies; its options are all profits."""
    names = list(COMPANIES)[: world.companies]
    asked = chance.choice(names)
    others = [name for name in names if name not in (asked, twin(asked))]
    wrong = chance.sample(others, world.images - 1)
    if chance.random() < world.twins:
        wrong[chance.randrange(len(wrong))] = twin(asked)
    gold = chance.randint(0, len(wrong))
    profits = range(UNIT, UNIT * (world.levels + 1), UNIT)
    charts = tuple(
        Chart(company, chance.choice(profits), chance.randint(-world.tone, world.tone))
        for company in (*wrong[:gold], asked, *wrong[gold:])
    )
    return Question(charts, gold, tuple(map(str, profits)))


def twin(company: str) -> str:
    """Return the company of the like colour."""
    names = list(COMPANIES)
    return names[names.index(company) ^ 1]


@lru_cache(maxsize=4096)
def draw_chart(chart: Chart, levels: int) -> Image:
    """Return the picture; equal charts give equal pixels."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (SIDE, SIDE), "white")
    colour = tuple(min(255, max(0, part + chart.tone)) for part in COMPANIES[chart.company])
    height = chart.profit * SIDE // (UNIT * levels)
    ImageDraw.Draw(image).rectangle((EDGE, SIDE - height, SIDE - 1 - EDGE, SIDE - 1), fill=colour)
    return image
