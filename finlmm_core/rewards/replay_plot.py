"""A replay as a picture: totals before against totals after, and the means of the rewards beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from finlmm_core.errors import MissingExtraError
from finlmm_core.rewards.replay import Replayed
from finlmm_core.store.atomic import write_atomic

_BEFORE, _AFTER = "#8a8f98", "#2f6fb0"


def write_plot(outcomes: Sequence[Replayed], path: Path) -> None:
    """Write an SVG with a row for each stage; the same outcomes, the same bytes.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("--plot", "matplotlib", "train") from None
    import io

    figure = Figure(figsize=(11, 4.2 * len(outcomes)), layout="constrained")
    FigureCanvasSVG(figure)
    panels = figure.subplots(len(outcomes), 2, squeeze=False)
    for (scatter, bars), outcome in zip(panels, outcomes, strict=True):
        points = Counter((round(old, 3), round(new, 3)) for old, new in zip(outcome.before, outcome.after, strict=True))
        sizes = [9 + 400 * count / len(outcome.before) for count in points.values()]  # area: how many are alike
        low = min(*outcome.before, *outcome.after, 0.0)
        high = max(*outcome.before, *outcome.after, 1.0)
        scatter.plot([low, high], [low, high], color=_BEFORE, linewidth=1)
        scatter.scatter(*zip(*points, strict=True), s=sizes, alpha=0.5, color=_AFTER, linewidths=0)
        correlation = "none" if outcome.rank_correlation is None else f"{outcome.rank_correlation:.3f}"
        scatter.set_title(
            f"{outcome.stage or 'stage'}: {outcome.completions} completions, rank correlation {correlation}, "
            f"{outcome.flips:.1%} flips",
            fontsize=10,
        )
        scatter.set_xlabel("total of the run")
        scatter.set_ylabel("total of the replay")
        names = list(dict.fromkeys([*outcome.means_before, *outcome.means_after]))
        rows = range(len(names))
        bars.barh([row - 0.2 for row in rows], [outcome.means_before.get(n) or 0.0 for n in names], 0.38, color=_BEFORE)
        bars.barh([row + 0.2 for row in rows], [outcome.means_after.get(n) or 0.0 for n in names], 0.38, color=_AFTER)
        bars.set_yticks(list(rows), names)
        bars.invert_yaxis()
        bars.set_xlabel("mean: run (grey), replay (blue)")
        for axes in (scatter, bars):
            axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "finlmm", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    write_atomic(path, buffer.getvalue())
