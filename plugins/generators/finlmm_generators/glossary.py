"""The glossary: what financial terms mean, how they are computed, what a rise says, what they are mixed up with."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from importlib.resources import files

from pydantic import Field

from finlmm_core.domain import Frozen, Language

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Bilingual(Frozen):
    """One text in both languages."""

    en: str
    zh: str

    def said(self, language: Language) -> str:
        """Return the text in the language."""
        return self.zh if language == "zh" else self.en


class Aliases(Frozen):
    """Other names of a term as reports print them."""

    en: tuple[str, ...] = ()
    zh: tuple[str, ...] = ()


class Term(Frozen):
    """One entry of the glossary."""

    key: str
    name: Bilingual
    definition: Bilingual
    formula: Bilingual
    rise: Bilingual
    aliases: Aliases = Aliases()
    confusable: tuple[str, ...] = Field(min_length=3, description="keys of terms whose texts are wrong for this one")

    def names(self, language: Language) -> tuple[str, ...]:
        """Return every way of printing the term in the language."""
        own, others = (self.name.zh, self.aliases.zh) if language == "zh" else (self.name.en, self.aliases.en)
        return tuple(dict.fromkeys((own, *others)))


@lru_cache(maxsize=1)
def terms() -> tuple[Term, ...]:
    """Return all terms, in the order of the file."""
    text = files("finlmm_generators").joinpath("glossary.toml").read_text(encoding="utf-8")
    return tuple(Term.model_validate(entry) for entry in tomllib.loads(text)["term"])


@lru_cache(maxsize=1)
def terms_by_key() -> dict[str, Term]:
    """Return the terms by key."""
    return {term.key: term for term in terms()}


def fold(label: str) -> str:
    """Return a label as terms are compared: lower case, no punctuation, '&' as 'and', no qualifying tail."""
    label = label.lower().replace("&", " and ").replace("’", "'")
    label = re.sub(r"[(（][^()（）]*[)）]", " ", label)
    return re.sub(r"[^\w'\u4e00-\u9fff]+", " ", label).strip()


@lru_cache(maxsize=2)
def _by_name(language: Language) -> dict[str, Term]:
    found: dict[str, Term] = {}
    for term in terms():
        for name in term.names(language):
            found.setdefault(fold(name), term)
    return found


def term_of(label: str, language: Language) -> Term | None:
    """Return the term that a row label names as a whole ('Total net sales' names revenue), or None."""
    names = _by_name(language)
    folded = fold(label)
    if folded in names:
        return names[folded]
    if language == "zh":
        bare = re.sub(r"\A(?:其中|减|加|一|二|三|四|五)[:： ]?|(?:合计|总计|净额)\Z", "", folded).strip()
        return names.get(bare)
    bare = re.sub(r"\A(?:total|net|consolidated|less|plus)\s|\s(?:net|total)\Z", "", folded).strip()
    return names.get(bare)


def terms_in(text: str, language: Language) -> list[Term]:
    """Return the terms named in running text, each once, in the order of their first mention; longer names win."""
    folded = f" {fold(text)} "
    hits: list[tuple[int, int, Term]] = []
    for name, term in _by_name(language).items():
        if len(name) < (2 if language == "zh" else 3):
            continue
        at = folded.find(name if language == "zh" else f" {name} ")
        if at >= 0:
            hits.append((at, -len(name), term))
    hits.sort(key=lambda hit: (hit[0], hit[1], hit[2].key))
    kept: list[Term] = []
    covered = -1
    for at, length, term in hits:
        if at < covered:
            continue
        covered = at - length
        if term not in kept:
            kept.append(term)
    return kept
