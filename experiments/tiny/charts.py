"""Charts of 28 x 28 pixels, and questions that only the right one of several answers.

A chart shows one company's profit in four quarters. The company is told by the colour of the band on top, as a logo
would, and the profits by the heights of the bars. A question names the company, so whoever cannot find its chart among
the others cannot read the value either. Companies come in pairs of like colours ("Red" and "Ruby"): the twin of the
company that is asked about is the near distractor.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image

#: Companies and the colours of their bands; each stands beside its twin.
COMPANIES: dict[str, tuple[int, int, int]] = {
    "Red": (220, 40, 40),
    "Ruby": (170, 30, 90),
    "Blue": (40, 90, 220),
    "Navy": (30, 40, 130),
    "Green": (30, 150, 60),
    "Lime": (130, 210, 40),
    "Gold": (240, 190, 20),
    "Rust": (190, 110, 40),
}
QUARTERS = ("Q1", "Q2", "Q3", "Q4")
SIDE = 28  # pixels; one token of a Qwen-VL model
BAND = 7  # pixels
INK = (60, 60, 60)

#: What is asked: the profit of one quarter, or the quarter with the highest or the lowest profit.
KINDS = ("value", "highest", "lowest")


class World(NamedTuple):
    """How hard the questions are."""

    levels: int = 6  # profits are 1 to this; a bar of the highest fills the chart
    companies: int = 6
    least_images: int = 2
    most_images: int = 4
    twins: float = 0.5  # chance that the twin of the company asked about is among the distractors
    kinds: tuple[str, ...] = ("value",)  # of KINDS


WORLD = World()


class Question(NamedTuple):
    """A question with its charts; ``gold`` is the place of the right one, from 0."""

    kind: str
    companies: tuple[str, ...]  # of the charts, in their order
    profits: tuple[tuple[int, ...], ...]  # of each chart, a quarter each
    gold: int
    quarter: int  # asked about, or the answer
    options: tuple[str, ...]

    @property
    def text(self) -> str:
        company = self.companies[self.gold]
        if self.kind == "value":
            return f"What was the profit of {company} in {QUARTERS[self.quarter]}?"
        return f"In which quarter was the profit of {company} {self.kind}?"

    @property
    def answer(self) -> str:
        return str(self.profits[self.gold][self.quarter]) if self.kind == "value" else QUARTERS[self.quarter]


def draw_question(chance: random.Random, world: World = WORLD) -> Question:
    """Return a question about one of several charts, all of different companies."""
    names = list(COMPANIES)[: world.companies]
    asked = chance.choice(names)
    others = [name for name in names if name != asked]
    wrong = chance.sample(others, chance.randint(world.least_images, world.most_images) - 1)
    if wrong and twin(asked) in others and twin(asked) not in wrong and chance.random() < world.twins:
        wrong[0] = twin(asked)
    gold = chance.randint(0, len(wrong))
    companies = (*wrong[:gold], asked, *wrong[gold:])
    profits = tuple(draw_profits(chance, world) for _ in companies)
    mine = profits[gold]
    kind = chance.choice(world.kinds)
    if kind == "value":
        quarter = chance.randrange(len(QUARTERS))
        wrong_values = chance.sample([level for level in range(1, world.levels + 1) if level != mine[quarter]], 3)
        options = tuple(str(value) for value in sorted([mine[quarter], *wrong_values]))
    else:
        quarter = mine.index(max(mine) if kind == "highest" else min(mine))
        options = QUARTERS
    return Question(kind, companies, profits, gold, quarter, options)


def draw_profits(chance: random.Random, world: World) -> tuple[int, ...]:
    """Return four different profits."""
    return tuple(chance.sample(range(1, world.levels + 1), len(QUARTERS)))


def twin(company: str) -> str:
    """Return the company of the like colour."""
    names = list(COMPANIES)
    place = names.index(company)
    return names[place + 1 if place % 2 == 0 else place - 1]


@lru_cache(maxsize=65536)
def draw_chart(company: str, profits: tuple[int, ...], levels: int) -> Image:
    """Return a chart; the same company and profits give the same pixels."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, SIDE - 1, BAND - 1), fill=COMPANIES[company])
    width = SIDE // len(profits)
    for place, profit in enumerate(profits):
        height = round(profit * (SIDE - BAND - 1) / levels)
        pen.rectangle((place * width + 1, SIDE - height, place * width + width - 2, SIDE - 1), fill=INK)
    return image
