"""Which reports are held out: by company, so that no other year of a test company is trained on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from finlmm_core.domain import Document, Split
from finlmm_core.steps.sampling.chance import unit
from finlmm_core.steps.sampling.config import SplitShares
from finlmm_core.steps.sampling.words import fold

_LEGAL_FORMS = frozenset(
    re.findall(
        r"\w+",
        "inc incorporated corp corporation co company companies ltd limited plc llc llp lp sa ag nv se asa ab oyj spa "
        "group holdings holding the and de na bhd pte pty registrant issuer",
    )
)
_CHINESE_FORMS = re.compile(r"(本公司|股份有限公司|有限责任公司|集团有限公司|有限公司|股份公司|控股|集团|公司)+$")


_MANY = 50  # groups from which on the hash alone comes near enough to the shares


def company_key(name: str) -> str:
    """Return a company's name without legal form, case and punctuation, so that ways of writing it compare equal.

    'Intel Corporation' and 'INTEL CORP.' both give 'intel'. Empty where nothing is left, as of 'The Company': it names
    no one, and reports must not be held together by it.
    """
    folded = fold(name).replace("&", " ")
    words = re.findall(r"[^\W_]+", re.sub(r"[.'’]", "", folded))
    kept = [word for word in words if word not in _LEGAL_FORMS]
    return _CHINESE_FORMS.sub("", "".join(kept))


def group_of(document: Document) -> str:
    """Return what a document is held out with: its company, or itself where the report does not name one."""
    key = company_key(document.meta.company) if document.meta.company else ""
    return f"company:{key}" if key else f"report:{document.id}"


def _position(group: str, seed: int) -> float:
    return unit("split", seed, group)


def assign_splits(groups: Mapping[str, int], shares: SplitShares, seed: int) -> dict[str, Split]:
    """Return the split of each group of reports.

    A group's split is decided by a hash of its name and the seed, so that it stays where it is when reports are
    added. Hashes scatter when groups are few: below 50 groups with samples, a held-out split takes no more than its
    share (rounded up), and where at least three groups have samples no split that should have some stays empty; the
    groups whose hashes lie nearest are the ones that move.

    Args:
        groups: group name -> how many samples it can give.
        shares: the wanted share of groups in validation and test.
        seed: the run's seed.
    """
    assigned: dict[str, Split] = {}
    for group in groups:
        position = _position(group, seed)
        if position < shares.test:
            assigned[group] = "test"
        elif position < shares.test + shares.validation:
            assigned[group] = "validation"
        else:
            assigned[group] = "train"
    giving = sorted((g for g in groups if groups[g] > 0), key=lambda g: (_position(g, seed), g))
    if not 3 <= len(giving) < _MANY:
        return assigned
    held_out: tuple[Split, ...] = ("test", "validation")
    for split in held_out:
        most = math.ceil(shares.of(split) * len(giving))
        for group in [g for g in giving if assigned[g] == split][most:]:
            assigned[group] = "train"
    for split in held_out:
        training = [g for g in giving if assigned[g] == "train"]
        if shares.of(split) > 0 and not any(assigned[g] == split for g in giving) and len(training) > 1:
            assigned[training[0]] = split
    return assigned


def owner(item: str, present: Iterable[Split], shares: SplitShares, seed: int) -> Split:
    """Return the one split that may keep an item which was found in several.

    Each split draws by a hash of the item (weighted rendezvous hashing): the choice follows the shares, and changes
    only for items that a newly added split wins.
    """

    def draw(split: Split) -> float:
        weight = shares.of(split)
        return unit("owner", seed, item, split) ** (1.0 / weight) if weight > 0 else -1.0

    return max(sorted(set(present)), key=draw)
