"""Could an answer have been computed from the numbers that a figure shows?

A question such as 'by how many percent did revenue grow?' has an answer that stands nowhere in the figure, but that
follows from two numbers in it. Among few candidate figures that is strong evidence; in a table of hundreds of numbers
some pair yields almost any answer by chance. Both are weighed against each other: a hit counts by how unlikely it was.
"""

# ruff: noqa: E501 - a cue is easier to read on one line

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: How often the answer of a question about a figure is among the results tried, given its numbers were read.
HIT_RATE = 0.7
#: What a figure scores whose numbers do not yield the answer.
MISS = math.log(1 - HIT_RATE)
#: Figures with more numbers than this are not tried: chance would explain every hit.
MOST_NUMBERS = 160

Operation = Callable[["np.ndarray"], "list[np.ndarray]"]


def _growth(values: np.ndarray) -> list[np.ndarray]:
    ratio = _ratios(values)
    return [100 * (ratio - 1)]


def _shares(values: np.ndarray) -> list[np.ndarray]:
    ratio = _ratios(values)
    return [ratio, 100 * ratio]


def _differences(values: np.ndarray) -> list[np.ndarray]:
    import numpy as np

    return [np.subtract.outer(values, values)[~np.eye(len(values), dtype=bool)]]


def _sums(values: np.ndarray) -> list[np.ndarray]:
    import numpy as np

    upper = np.triu_indices(len(values), k=1)
    return [np.add.outer(values, values)[upper], *(total for _, total in _runs(values))]


def _means(values: np.ndarray) -> list[np.ndarray]:
    import numpy as np

    upper = np.triu_indices(len(values), k=1)
    return [np.add.outer(values, values)[upper] / 2, *(total / size for size, total in _runs(values))]


def _mean_growth(values: np.ndarray) -> list[np.ndarray]:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        steps = 100 * (values[1:] / values[:-1] - 1)
        backward = 100 * (values[:-1] / values[1:] - 1)
    found: list[np.ndarray] = []
    for one in (steps, backward):
        found.extend(total / size for size, total in _runs(one, smallest=2))
    return found


def _compound(values: np.ndarray) -> list[np.ndarray]:
    import numpy as np

    ratio = _ratios(values)
    positive = ratio[ratio > 0]
    return [100 * (np.power(positive, 1 / years) - 1) for years in range(2, 8)]


def _products(values: np.ndarray) -> list[np.ndarray]:
    import numpy as np

    upper = np.triu_indices(len(values))
    product = np.multiply.outer(values, values)[upper]
    return [product, product / 100]


def _printed(values: np.ndarray) -> list[np.ndarray]:
    return [values]


def _ratios(values: np.ndarray) -> np.ndarray:
    """Return every number over every other, division by zero left out."""
    import numpy as np

    below = values != 0
    ratio = values[:, None] / np.where(below, values, 1)[None, :]
    return ratio[~np.eye(len(values), dtype=bool) & below[None, :]]


def _runs(values: np.ndarray, smallest: int = 3, largest: int = 8) -> list[tuple[int, np.ndarray]]:
    """Return (length, sums of all runs of that length): numbers that stand in a row are read one after the other."""
    import numpy as np

    cumulated = np.concatenate([[0.0], np.cumsum(values)])
    return [(size, cumulated[size:] - cumulated[:-size]) for size in range(smallest, min(largest, len(values)) + 1)]


#: What in a question calls for which operations.
_CUES: list[tuple[re.Pattern[str], Sequence[Operation]]] = [
    (re.compile(r"cagr|compound|复合|年均"), (_compound, _mean_growth)),
    (re.compile(r"(?:average|mean)[^.?]*(?:growth|increase|change|rate)|平均[^，。；]*(?:增长|增速|变化|下降)|(?:增长|增速)[^。；]*平均"), (_mean_growth, _means)),
    (re.compile(r"growth|grow|grew|percent|increase|decrease|decline|change|增长|增幅|增速|下降|变化|跌幅|涨幅|降幅|百分比|%"), (_growth, _shares)),
    (re.compile(r"differ|how much (?:more|less|higher|lower)|increase|decrease|decline|change|drop|fell|gap|差|增加|减少|高出|多出|变化|增长额|提升|提高|相差"), (_differences,)),
    (re.compile(r"average|mean\b|平均|均值"), (_means,)),
    (re.compile(r"total|sum\b|combined|altogether|together|overall|总|合计|之和|累计|一共|相加"), (_sums,)),
    (re.compile(r"ratio|share|proportion|times|multiple|percent|占|比|倍|率"), (_shares,)),
    (re.compile(r"product|multipl|乘"), (_products,)),
]  # fmt: skip
_DECLINE = re.compile(
    r"decreas|declin|drop|fell|fall|lower|less|loss|reduc|differ|change|gap|下降|减少|降|跌|差|变化|亏"
)


def sign_is_open(question: str) -> bool:
    """Return whether a (normalised) question may be answered with either sign."""
    return bool(_DECLINE.search(question))


def operations_asked(question: str) -> list[Operation]:
    """Return the operations that the words of a (normalised) question call for, the printed value always first."""
    found: dict[Operation, None] = {_printed: None}
    for cue, operations in _CUES:
        if cue.search(question):
            found.update(dict.fromkeys(operations))
    return list(found)


def surprise(
    numbers: Sequence[float], answer: float, decimals: int, operations: Sequence[Operation], unsigned: bool = True
) -> float:
    """Return the log likelihood ratio for 'the answer was computed from these numbers' against chance.

    Positive where some operation meets the answer and few results lie around it, ``log(1 - HIT_RATE)`` where none does.

    Args:
        numbers: what the figure prints, in reading order.
        answer: the value asked for.
        decimals: decimals that it was rounded to; half a unit of the last one is the tolerance.
        operations: see :func:`operations_asked`.
        unsigned: whether a result of the other sign meets the answer too.
    """
    import numpy as np

    values = np.array(numbers, dtype=np.float64)
    if len(values) == 0:
        return MISS
    if len(values) > MOST_NUMBERS:
        return 0.0  # knows nothing either way
    with np.errstate(over="ignore", invalid="ignore"):
        results = np.concatenate([np.ravel(found) for operation in operations for found in operation(values)])
    results = results[np.isfinite(results)]
    # 'Fell by 5 %' may be answered 5 or -5; elsewhere the sign is part of the answer.
    distance = np.abs(np.abs(results) - abs(answer)) if unsigned else np.abs(results - answer)
    tolerance = 0.5000001 * 10.0**-decimals + abs(answer) * 1e-9
    hit = bool((distance <= tolerance).any())
    # How many results chance puts within the tolerance, from how many lie near: a window of a fifth of the answer.
    window = max(0.2 * abs(answer), 20 * tolerance)
    expected = ((distance <= window).sum() + 1) * tolerance / window
    by_chance = 1 - math.exp(-expected)
    if hit:
        return math.log((HIT_RATE + (1 - HIT_RATE) * by_chance) / by_chance)
    return MISS
