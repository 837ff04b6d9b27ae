"""How good probabilities are: AUC, expected calibration error, Brier score."""

from __future__ import annotations

from collections.abc import Sequence

_BINS = 10


def auc(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """Return the chance that a right one is above a wrong one, ties counting half; None where one kind is missing.

    The Mann-Whitney statistic over the number of pairs.
    """
    right = sum(1 for label in labels if label)
    wrong = len(labels) - right
    if not right or not wrong:
        return None
    order = sorted(range(len(labels)), key=lambda place: probabilities[place])
    ranks = 0.0
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and probabilities[order[end]] == probabilities[order[start]]:
            end += 1
        middle = (start + 1 + end) / 2
        ranks += middle * sum(1 for place in order[start:end] if labels[place])
        start = end
    return (ranks - right * (right + 1) / 2) / (right * wrong)


def auc_within(probabilities: Sequence[float], labels: Sequence[int], groups: Sequence[str]) -> float | None:
    """Return the chance that a right one is above a wrong one of its own group; None where no group has both kinds.

    All pairs count the same. Who only knows which groups are hard is at .5 here, whatever ``auc`` says.
    """
    places: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    above = pairs = 0.0
    for members in places.values():
        own = [labels[place] for place in members]
        share = auc([probabilities[place] for place in members], own)
        if share is not None:
            number = sum(map(bool, own)) * (len(own) - sum(map(bool, own)))
            above, pairs = above + share * number, pairs + number
    return above / pairs if pairs else None


def calibration_error(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """Return the expected calibration error over ten bins of equal width: what is said against what is, weighted.

    Guo et al., "On Calibration of Modern Neural Networks", 2017. None where there is nothing.
    """
    if not labels:
        return None
    said = [0.0] * _BINS
    true = [0.0] * _BINS
    for probability, label in zip(probabilities, labels, strict=True):
        place = min(int(probability * _BINS), _BINS - 1)
        said[place] += probability
        true[place] += label
    return sum(abs(one - other) for one, other in zip(said, true, strict=True)) / len(labels)


def brier(probabilities: Sequence[float], labels: Sequence[int]) -> float | None:
    """Return the mean squared distance of the probabilities from the labels; None where there is nothing."""
    if not labels:
        return None
    return sum((p - label) ** 2 for p, label in zip(probabilities, labels, strict=True)) / len(labels)
