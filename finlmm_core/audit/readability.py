"""What a reader meets: lengths, types, languages, how hard questions read, how large images and their print are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from finlmm_core.audit.config import AuditConfig
from finlmm_core.audit.model import Item, Measured, Part
from finlmm_core.audit.pictures import Picture
from finlmm_core.audit.statistics import quantiles
from finlmm_core.domain import Language
from finlmm_core.prompts import WORDING
from finlmm_core.steps.sampling.words import has_chinese

_VOWELS = re.compile(r"[aeiouy]+")
_WORDS = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?")
_SENTENCE = re.compile(r"[.!?](?:\s|\Z)")
_LETTERS = re.compile(r"[A-Za-z]+")
_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_MARKS = re.compile(r"[^\sA-Za-z\u3400-\u9fff\uf900-\ufaff]")
_PATCH = 28  # pixels: side of what one token of a Qwen-VL model sees
_BINS = 12


def check_readability(items: Sequence[Item], pictures: Sequence[Picture], config: AuditConfig) -> Part:
    """Measure lengths, reading ease, prompts in tokens (estimated), image sides and the height of print."""
    part = Part()
    by_question = {item.qa_id or item.id: item for item in items}.values()
    english = [item for item in by_question if item.language != "zh" and not has_chinese(item.question)]
    chinese = [item for item in by_question if item.language == "zh" or has_chinese(item.question)]
    lists: dict[str, tuple[list[float], str]] = {
        "question_words": ([float(len(_WORDS.findall(item.question))) for item in english], "words"),
        "reading_ease": ([reading_ease(item.question) for item in english], "Flesch reading ease"),
        "question_characters_zh": ([float(len(item.question)) for item in chinese], "characters"),
        "option_characters": ([float(len(o)) for item in by_question for o in item.options], "characters"),
        "context_characters": ([float(len(item.context)) for item in items if item.context], "characters"),
        "prompt_tokens_text": ([prompt_tokens(item) for item in items if not item.images], "tokens, estimated"),
        "prompt_tokens_images": ([prompt_tokens(item) for item in items if item.images], "tokens, estimated"),
        "image_long_side": ([float(max(p.entry.width, p.entry.height)) for p in pictures if p.entry.width], "pixels"),
        "image_short_side": ([float(min(p.entry.width, p.entry.height)) for p in pictures if p.entry.width], "pixels"),
        "print_height": ([picture.print_pixels for picture in pictures if picture.print_pixels], "pixels"),
    }
    for name, (values, unit) in lists.items():
        if not values:
            continue
        low, middle, high = quantiles(values)
        part.measures.append(
            Measured(
                what=f"audit.{name}", value=round(middle, 2), unit=f"{unit}, median", n=len(values),
                detail={"5 %": round(low, 2), "95 %": round(high, 2), "most": round(max(values), 2)},
            )
        )  # fmt: skip
        part.tables[f"spread.{name}"] = histogram(values)
    printed = [picture for picture in pictures if picture.print_pixels]
    small = {p.entry.sha256: p.print_pixels for p in printed if p.print_pixels < config.small_text_pixels}
    part.measures.append(
        Measured(
            what="audit.small_text", value=len(small) / len(printed) if printed else None, unit="share of images",
            n=len(printed), detail={"found": len(small)},
        )
    )  # fmt: skip
    told: set[str] = set()
    for item in items:
        for place in item.gold:
            if 0 <= place < len(item.images) and (sha := item.images[place].sha256) in small and sha not in told:
                told.add(sha)
                part.findings.append(item.finding("small_text", f"print about {small[sha]:.1f} pixels high", sha[:12]))
    for name, key in (("types", "type"), ("languages", "language"), ("splits", "split"), ("kinds", "kind")):
        counts = Counter((getattr(item, key) or "(none)", item.kind) for item in items)
        names = sorted({one for one, _ in counts})
        part.tables[name] = [(one, counts[one, "text"], counts[one, "contrastive"]) for one in names]
    tiers = Counter(tier for item in items for tier in item.tiers if tier and tier != "gold")
    part.tables["tiers"] = sorted(tiers.items())
    return part


def reading_ease(text: str) -> float:
    """Return Flesch's reading ease (1948): 206.835 - 1.015 words a sentence - 84.6 syllables a word.

    Syllables are groups of vowels, a last silent e left out; numbers are not words. 0 where there is no word.
    """
    words = _WORDS.findall(text)
    if not words:
        return 0.0
    sentences = max(1, len(_SENTENCE.findall(text)))
    syllables = sum(max(1, len(_VOWELS.findall(word.lower().removesuffix("e") or word))) for word in words)
    return 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)


def text_tokens(text: str) -> float:
    """Estimate tokens as vocabularies of today's models cut: 1.3 a word of letters, one a digit, a mark, a Chinese
    character's 0.8."""
    words = _LETTERS.findall(text)
    long = sum(len(word) > 6 for word in words)
    chinese = 0 if text.isascii() else len(_CHINESE.findall(text))
    return len(words) + 0.6 * long + 0.8 * chinese + len(_MARKS.findall(text))


def prompt_tokens(item: Item) -> float:
    """Estimate the tokens of a sample's prompt: instructions, its text, one for each 28 x 28 pixels of its images."""
    fixed = _instruction_tokens("zh" if item.language == "zh" else "en")
    text = "\n".join((item.context, item.question, *item.options))
    patches = sum(max(1, image.width // _PATCH) * max(1, image.height // _PATCH) for image in item.images)
    return round(fixed + text_tokens(text) + patches)


@lru_cache
def _instruction_tokens(language: Language) -> float:
    words = WORDING[language]
    return text_tokens(f"{words.role}\n{words.rules}")


def histogram(values: Sequence[float]) -> list[tuple[float, float, int]]:
    """Return (from, to, how many) of equal bins from the 1st to the 99th percentile; the ends hold the rest."""
    low, high = quantiles(values, (0.01, 0.99))
    width = (high - low) / _BINS or 1.0
    counts = Counter(min(_BINS - 1, max(0, int((value - low) / width))) for value in values)
    return [(low + k * width, low + (k + 1) * width, counts[k]) for k in range(_BINS)]
