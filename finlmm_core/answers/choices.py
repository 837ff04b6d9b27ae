"""Which options an answer names, by letter, by text or by value."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from finlmm_core.answers.amounts import claimed, is_negated, numbers_in, plain_numbers
from finlmm_core.answers.golds import Gold
from finlmm_core.answers.numeric import compare_numbers
from finlmm_core.answers.parsing import LONGEST
from finlmm_core.answers.profiles import Profile
from finlmm_core.answers.texts import normal_text, without_markup

_WORD = r"(?:the[ ])?(?:option|choice|answer|选项|选择?|答案)?[ ]?(?:is[ ]|为|是)?[:：]?[ ]?"
_ONLY = re.compile(rf"{_WORD}[(\[\"']?(?P<letter>[A-Ja-j])[)\]\"']?[.。:：、]?[ ]?\Z", re.IGNORECASE)
_SEVERAL = re.compile(
    r"[(\[]?[A-J](?:(?:[ ]?[,/;、&][ ]?|[ ](?:and|or|和|或)[ ]|[ ]?[和或][ ]?|[ ])?[(\[]?[A-J][)\]]?){1,9}[)\]]?\.?\Z"
)
_LED = re.compile(
    rf"{_WORD}(?:[(\[](?P<inside>[A-J])[)\]][.:：、,]?|(?P<letter>[A-J])(?:[)\].:：、,，]|[ ]?[-–—=][ ]))[ ]?(?P<rest>.+)",
    re.DOTALL,
)
_MARKED = re.compile(r"(?<![A-Za-z0-9.])[(\[]?(?P<letter>[A-J])(?:[)\]:：、]|\.(?=[ ]|\Z))")
_CALLED = re.compile(
    r"(?:option|choice|选项|故选|应选|选择|选)[ ]?[(\[]?(?P<letter>[A-J])(?![A-Za-z])|[(\[](?P<inside>[A-J])[)\]]",
    re.IGNORECASE,
)
# 'A' and 'I' before a small letter are words.
_ALONE = re.compile(r"(?<![A-Za-z0-9.&])(?P<letter>[A-J])(?![A-Za-z0-9&]|(?<=[AI])[ ][a-z])")
_WORD_ALONE = re.compile(r"(?<![^\s(])(?P<letter>[A-J])(?=[\s).,;]|\Z)(?!(?<=[AI])[ ][a-z])")
_NEGATION = re.compile(
    r"\b(?:not|never|neither|nor|isn['’]t|wasn['’]t|incorrect|wrong|except|but|rather than|instead of)\b|不是|并非|不对|错误|而非",
    re.IGNORECASE,
)
_OR = re.compile(r"\bor\b|或", re.IGNORECASE)  # before the number: what was said first is another answer
_WORDS_MORE = 12  # words beside an option's text that still make an answer and not an essay


class Named(NamedTuple):
    """The options that an answer names, as indices; ``how`` is 'letter', 'option_text', 'value' or why there is none."""

    places: tuple[int, ...]
    how: str


def named_options(text: str, gold: Gold, profile: Profile) -> Named:
    """Return the options that a choice answer names; several where it cannot be one.

    Nothing is ever found by one text being part of a longer one of the options: the longest option is looked for first
    and what it covers is not looked at again.
    """
    if len(text) > LONGEST:
        return Named((), "too_long")
    clean = plain_numbers(without_markup(unicodedata.normalize("NFKC", text)))
    if not clean:
        return Named((), "no_answer")
    count = len(gold.options)
    letter = _ONLY.match(clean)
    if letter is not None and (place := ord(letter["letter"].upper()) - 65) < count:
        return Named((place,), "letter")
    by_text = profile.options_by_text
    words = normal_text(clean)
    if by_text and words:
        same = [place for place in range(count) if _reads_as(clean, words, place, gold)]
        if same:
            return Named(tuple(same), "option_text")
    if _SEVERAL.match(clean) and (places := _places(re.findall(r"[A-J]", clean), count)):
        return Named(places, "letter")
    marked = _places([found["letter"] for found in _MARKED.finditer(clean)], count)
    if len(marked) > 1:
        return Named(marked, "letter")
    led = _LED.match(clean)
    if led is not None and (place := ord(led["letter"] or led["inside"]) - 65) < count:
        return _with_rest(place, led["rest"], gold, profile)
    spaced = re.match(r"(?P<letter>[A-J])[ ](?P<rest>\S.*)", clean, re.DOTALL)
    if (
        spaced is not None
        and (place := ord(spaced["letter"]) - 65) < count
        and _is_option(spaced["rest"], place, gold, profile)
    ):
        return Named((place,), "letter")
    called = _places([found["letter"] or found["inside"] for found in _CALLED.finditer(clean)], count)
    if called:
        others = set(_texts_named(clean, gold)[0]) - set(called) if by_text else set()
        if _NEGATION.search(clean):
            return Named((), "unclear")
        return Named((*called, *sorted(others)), "letter")
    named = _by_content(clean, gold, profile) if by_text else Named((), "no_option")
    if named.how == "no_option" and len(clean.split()) <= _WORDS_MORE and not _NEGATION.search(clean):
        alone = _places([found["letter"] for found in _WORD_ALONE.finditer(clean)], count)
        every = _places([found["letter"] for found in _ALONE.finditer(clean)], count)
        return Named(alone, "letter") if alone and alone == every else named  # 'I go with B'
    return named


def _places(letters: list[str], count: int) -> tuple[int, ...]:
    places = dict.fromkeys(ord(letter.upper()) - 65 for letter in letters)
    return tuple(place for place in places if place < count)


def _with_rest(place: int, rest: str, gold: Gold, profile: Profile) -> Named:
    """Return what a letter followed by words names: the letter, and any other option that the words name."""
    named, _ = _texts_named(rest, gold)
    beside = rest.replace(gold.written_options[place], " ")
    others = set(named) | set(_places([found["letter"] for found in _ALONE.finditer(beside)], len(gold.options)))
    others.discard(place)
    if others:
        return Named((place, *sorted(others)), "letter")
    printed = gold.option_amounts[place]
    amounts = numbers_in(rest)
    if printed is not None and place not in named and amounts and len(rest) <= 40:
        claim, single = claimed(rest, amounts)
        if claim is not None and single and not _is_option(rest, place, gold, profile):
            return Named((), "contradiction")
    return Named((place,), "letter")


def _is_option(text: str, place: int, gold: Gold, profile: Profile) -> bool:
    """Return whether a text is one option's text or value."""
    if _reads_as(text.strip(), normal_text(text), place, gold):
        return True
    amounts = numbers_in(text)
    option = gold.option_amounts[place]
    if option is None or not amounts:
        return False
    claim, single = claimed(text, amounts)
    return claim is not None and single and compare_numbers(claim, _as_gold(place, gold), profile)[0]


def _reads_as(text: str, words: str, place: int, gold: Gold) -> bool:
    """Return whether a text is an option's; where that is a number, to the character: (5) and 5 have the same words."""
    if gold.option_amounts[place] is not None:
        return text == gold.written_options[place]
    return words == gold.option_texts[place]


def _as_gold(place: int, gold: Gold) -> Gold:
    """Return an option as if it were the right answer, in the unit of the right one where it prints none."""
    if place == gold.option and gold.value is not None:
        return gold
    option = gold.option_amounts[place]
    if option is None:
        raise ValueError(f"option {place} is no number")
    unit = option.unit or option.currency or (gold.unit if gold.value is not None else None)
    scale = option.scale if option.scale > 1 or gold.value is None else gold.scale
    return Gold(gold.options[place], "number", option.value, unit, scale, option.decimals, question=gold.question)


def _texts_named(text: str, gold: Gold) -> tuple[tuple[int, ...], str]:
    """Return the options whose whole words stand in the text, longest first, and what is left of the text."""
    words = f" {normal_text(text)} "
    found = []
    for place in sorted(range(len(gold.options)), key=lambda place: -len(gold.option_texts[place])):
        option = gold.option_texts[place]
        if not option:
            continue
        at = _whole(words, option)
        if at >= 0:
            found.append(place)
            while at >= 0:
                words = f"{words[:at]} {words[at + len(option) :]}"
                at = _whole(words, option)
    return tuple(found), words


def _whole(text: str, part: str) -> int:
    """Return where a part stands in a text without letters or digits going on at its ends, -1 where it does not.

    Chinese has no spaces between words, so there a part may begin and end anywhere.
    """
    at = text.find(part)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(part) : at + len(part) + 1]
        if not (_goes_on(before, part[0]) or _goes_on(part[-1], after)):
            return at
        at = text.find(part, at + 1)
    return -1


def _goes_on(first: str, second: str) -> bool:
    joins = "-.,$€£¥+%"
    return bool(first and second) and (
        (first.isascii() and second.isascii() and first.isalnum() and second.isalnum())
        or (first in joins and second.isdigit())
        or (first.isdigit() and second in ".,%")
    )


def _by_content(clean: str, gold: Gold, profile: Profile) -> Named:
    """Return the option that an answer without a letter names by its value or its text."""
    if gold.value is not None or gold.option_amounts[gold.option or 0] is not None:
        claim, single = claimed(clean, numbers_in(clean))
        if claim is not None:
            if (profile.single and not single) or "±" in clean or "\\pm" in clean:
                return Named((), "two_answers")
            if is_negated(clean, claim.start, claim.end):
                return Named((), "negated")
            if _OR.search(clean[: claim.start]):
                return Named((), "unclear")
            fitting = []
            for place, option in enumerate(gold.option_amounts):
                known = option is not None or (place == gold.option and gold.value is not None)
                if known and compare_numbers(claim, _as_gold(place, gold), profile)[0]:
                    fitting.append(place)
            letters = _places([found["letter"] for found in _WORD_ALONE.finditer(clean)], len(gold.options))
            if fitting and set(letters) - set(fitting):
                return Named(
                    (*letters, *fitting), "letter"
                )  # 'C [score: 1.0]': another option is named beside the value
            return Named(tuple(fitting), "value" if fitting else "wrong_value")
    named, rest = _texts_named(clean, gold)
    if named and _NEGATION.search(rest):
        return Named((), "unclear")
    if len(named) == 1 and len(rest.split()) > _WORDS_MORE:
        return Named((), "unclear")
    return Named(named, "option_text" if named else "no_option")
