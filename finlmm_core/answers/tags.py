"""The parts of a completion: ``<think>...</think><answer>...</answer><image_selection>k</image_selection>``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

TAGS = ("think", "answer", "image_selection")
_TAG = re.compile(r"<(?P<end>/?)(?P<name>think|answer|image_selection)>")


class Tagged(NamedTuple):
    """What stands in each tag of a completion, stripped; None where the tag is missing, unclosed or repeated.

    ``well_formed`` tells whether the completion is exactly the tags that stand in it, in order, each once, with nothing
    but white space between and around them; which of them a stage asks for is the format reward's business.
    """

    think: str | None
    answer: str | None
    image_selection: str | None
    well_formed: bool
    problems: tuple[str, ...] = ()  # stable names: 'missing_think', 'repeated_answer', 'text_outside' ...


@lru_cache(maxsize=4096)
def read_tags(completion: str) -> Tagged:
    """Return the parts of a completion; linear in its length.

    A tag inside another's content is a problem, so that nested or repeated tags never pass as a part.
    """
    found: dict[str, list[str]] = {name: [] for name in TAGS}
    order: list[str] = []
    problems: list[str] = []
    opened: tuple[str, int] | None = None
    outside = 0
    reached = 0
    for match in _TAG.finditer(completion):
        name, closing = match["name"], bool(match["end"])
        if opened is None:
            outside += len(completion[reached : match.start()].strip())
        if not closing:
            if opened is not None:
                problems += [f"unclosed_{opened[0]}", f"nested_{name}"]
            opened = (name, match.end())
        elif opened is None or opened[0] != name:
            problems.append(f"unopened_{name}")
            opened = None
        else:
            found[name].append(completion[opened[1] : match.start()].strip())
            order.append(name)
            opened = None
        reached = match.end()
    if opened is not None:
        problems.append(f"unclosed_{opened[0]}")
    else:
        outside += len(completion[reached:].strip())
    if outside:
        problems.append("text_outside")
    problems += [f"repeated_{name}" for name in TAGS if len(found[name]) > 1]
    problems += [f"missing_{name}" for name in TAGS[:2] if not found[name]]
    if order != sorted(order, key=TAGS.index):
        problems.append("wrong_order")
    broken = {
        problem.partition("_")[2] for problem in problems if problem.startswith(("unclosed", "unopened", "nested"))
    }
    parts = [found[name][0] if len(found[name]) == 1 and name not in broken else None for name in TAGS]
    return Tagged(parts[0], parts[1], parts[2], not problems, tuple(dict.fromkeys(problems)))
