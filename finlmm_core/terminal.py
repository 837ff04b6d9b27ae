"""What the terminal displays of the data side and of training have in common, so that they look alike."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

#: A plain log gets a line at most this often, in seconds.
PLAIN_LINE_SECONDS = 10.0


def counting_bars(console: Console) -> Progress:
    """Return bars that show what is done of how many, the time since the beginning, and the time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
