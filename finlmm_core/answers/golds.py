"""The right answer of a question, and how it may be written."""
# ruff: noqa: E501 - expressions are easier to read whole

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

from finlmm_core.answers.amounts import Amount, numbers_in, plain_numbers
from finlmm_core.answers.parsing import parse_answer, read_period, read_yes_no
from finlmm_core.answers.texts import normal_text, without_markup

if TYPE_CHECKING:
    from finlmm_core.domain import Sample

GoldKind = Literal[
    "number", "range", "period", "yes_no", "list", "text", "symbolic", "letters", "unanswerable", "unknown"
]

_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ASKED_SCALE = re.compile(
    r"(?:\bin[ ]|\()(?:(?:us[ ]?d(?:ollars)?|eur|gbp|\$|€|£|units[ ]of)[ ]?)?(?:in[ ])?(?P<scale>thousand|million|billion|trillion)s?\b",
    re.IGNORECASE,
)
_ASKED_PERCENT = re.compile(
    r"in (?:units of )?percent|as (?:a )?percent|units of percent|百分比|in %|\(%\)|百分之几", re.IGNORECASE
)
_ASKS_DECREASE = re.compile(
    r"\b(?:decreas\w{0,4}|declin\w{0,4}|reduc\w{0,5}|drop\w{0,4}|fall|fell|loss|lower)\b|下降|减少|降低|下滑|减",
    re.IGNORECASE,
)
_ASKS_BOTH = re.compile(r"\bincreas|\bchange|\bgrowth|增长|增加|变化|变动|升", re.IGNORECASE)
_UNANSWERABLE = re.compile(r"(?:not answerable|unanswerable|无法回答)\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Gold:
    """What the right answer of a question is.

    Attributes:
        text: as a reader would write it.
        kind: how it is compared.
        value: the number as printed; percent in percent points.
        unit: 'percent', 'percentage_points', 'ratio', 'count', a currency, or None where it is not known.
        scale: what the value is to be multiplied by for the plain amount.
        decimals: digits after the point that the value is stated with; None where it is not rounded.
        options: the choices in order; () for an open question.
        option: index of the right choice.
        also: indices of all right choices of a multiple-answer question.
        items: of a list, its items.
        tolerance: error allowed, absolute, in the printed unit: an item's own, in place of the profile's.
        question: the question, whose wording tells what a decrease means.
    """

    text: str
    kind: GoldKind = "text"
    value: Decimal | None = None
    unit: str | None = None
    scale: int = 1
    decimals: int | None = None
    options: tuple[str, ...] = ()
    option: int | None = None
    also: tuple[int, ...] = ()
    items: tuple[str, ...] = ()
    tolerance: float | None = None
    question: str = ""

    @classmethod
    def of(
        cls,
        answer: str | int | float | bool | Sequence[str],
        *,
        scale: str | int | None = None,
        unit: str | None = None,
        decimals: int | None = None,
        options: Sequence[str] = (),
        question: str = "",
        tolerance: float | None = None,
    ) -> Gold:
        """Return the gold of a benchmark's answer field.

        Args:
            answer: a number, a text, or the items of a list.
            scale: 'thousand', 'million', 'billion', 'percent', a factor, or '' for a number that is no percentage; None
                where the source does not say: then the question is asked ('in USD millions').
            unit: of a number where it is known.
            decimals: that a number is stated with; by default those that it prints.
            options: the choices, of which the answer names one or several by letter.
            question: the question.
            tolerance: the item's own absolute tolerance.
        """
        if options:
            letters = without_markup(answer if isinstance(answer, str) else "".join(map(str, answer)))  # type: ignore[arg-type]
            places = tuple(dict.fromkeys(ord(letter) - 65 for letter in letters.upper() if letter.isalpha()))
            if places and re.fullmatch(r"[A-Ja-j ,;、]{1,30}", letters) and max(places) < len(options):
                return cls(
                    options[places[0]],
                    "letters",
                    options=tuple(options),
                    option=places[0],
                    also=places,
                    question=question,
                )
            same = [place for place, option in enumerate(options) if normal_text(option) == normal_text(str(answer))]
            if len(same) == 1:
                return cls(
                    options[same[0]],
                    "letters",
                    options=tuple(options),
                    option=same[0],
                    also=(same[0],),
                    question=question,
                )
            return cls(str(answer), "unknown", options=tuple(options), question=question)
        if isinstance(answer, list | tuple) and len(answer) > 1:
            items = tuple(str(item) for item in answer)
            return cls("; ".join(items), "list", items=items, scale=_factor(scale), unit=unit, question=question)
        if isinstance(answer, list | tuple):
            answer = str(answer[0]) if answer else ""
        if isinstance(answer, bool):
            return cls("Yes" if answer else "No", "yes_no", question=question)
        if isinstance(answer, float) and not math.isfinite(answer):
            return cls(str(answer), "unknown", question=question)
        if isinstance(answer, int | float):
            return cls._number(_decimal(answer), scale, unit, decimals, question, tolerance)
        return cls._text(str(answer).strip(), scale, unit, decimals, question, tolerance)

    @classmethod
    def _number(
        cls,
        value: Decimal,
        scale: str | int | None,
        unit: str | None,
        decimals: int | None,
        question: str,
        tolerance: float | None,
    ) -> Gold:
        text = f"{value:f}"
        printed = len(text.partition(".")[2])
        if scale == "percent":
            unit, scale = "percent", 1
        elif scale is None and (asked := _ASKED_SCALE.search(question)):
            scale = asked["scale"].lower()
        elif scale == "":
            unit = unit or "number"
        return cls(
            text, "number", value, unit, _factor(scale), printed if decimals is None else decimals, question=question,
            tolerance=tolerance,
        )  # fmt: skip

    @classmethod
    def _text(
        cls,
        text: str,
        scale: str | int | None,
        unit: str | None,
        decimals: int | None,
        question: str,
        tolerance: float | None,
    ) -> Gold:
        if not text:
            return cls("", "unknown", question=question)
        if _UNANSWERABLE.match(text):
            return cls(text, "unanswerable", question=question)
        parsed = parse_answer(text)
        if parsed.kind == "number" and parsed.amount is not None and _is_quantity(text, parsed.amount):
            amount = parsed.amount
            if scale == "percent" or amount.unit == "percent":
                unit, scale = "percent", 1
            elif amount.unit is not None and amount.unit != "fraction":
                unit = amount.unit
            elif scale == "" and not amount.currency:
                unit = unit or "number"
            if amount.scale > 1:
                scale = amount.scale
            elif scale is None and (asked := _ASKED_SCALE.search(question)):
                scale = asked["scale"].lower()
            return cls(
                text, "number", amount.value, unit or amount.currency, _factor(scale),
                (None if amount.unit == "fraction" else amount.decimals) if decimals is None else decimals,
                question=question, tolerance=tolerance,
            )  # fmt: skip
        kinds: dict[str, GoldKind] = {"period": "period", "range": "range", "symbolic": "symbolic"}
        if parsed.kind in kinds and _few_words(text):
            return cls(
                text, kinds[parsed.kind], question=question, tolerance=tolerance, scale=_factor(scale), unit=unit
            )
        if read_yes_no(text) is not None and len(normal_text(text).split()) <= 1:
            return cls(text, "yes_no", question=question)
        return cls(text, "text", question=question)

    @property
    def letter(self) -> str | None:
        """The right option's letter, None where there is none."""
        return chr(65 + self.option) if self.option is not None else None

    @cached_property
    def amount(self) -> Amount | None:
        """The right answer as a number with its unit, None where it is none."""
        if self.value is None:
            return None
        unit = self.unit if self.unit in ("percent", "percentage_points", "basis_points", "multiple") else None
        currency = self.unit if self.unit is not None and re.fullmatch(r"[A-Z]{3}", self.unit) else None
        return Amount(self.value, self.text, 0, len(self.text), self.decimals or 0, unit, self.scale, currency)

    @cached_property
    def written_options(self) -> tuple[str, ...]:
        """The options in plain characters, as answers are before they are compared with them."""
        return tuple(plain_numbers(without_markup(unicodedata.normalize("NFKC", option))) for option in self.options)

    @cached_property
    def option_texts(self) -> tuple[str, ...]:
        """The options' words for comparing."""
        return tuple(normal_text(option) for option in self.written_options)

    @cached_property
    def option_amounts(self) -> tuple[Amount | None, ...]:
        """The options as numbers, None for those that are none."""
        found = []
        for option in self.written_options:
            amounts = numbers_in(option)
            found.append(amounts[0] if len(amounts) == 1 and _is_quantity(option, amounts[0]) else None)
        return tuple(found)

    @cached_property
    def period(self) -> str | None:
        """The key of the period that the answer is, None where it is none."""
        return read_period(self.text)

    @cached_property
    def asks_percent(self) -> bool:
        """Whether the question asks for percent."""
        return _ASKED_PERCENT.search(self.question) is not None

    @cached_property
    def asks_decrease(self) -> bool:
        """Whether the question asks how much something fell, so that a fall is a positive number."""
        return _ASKS_DECREASE.search(self.question) is not None and _ASKS_BOTH.search(self.question) is None


def _few_words(text: str) -> bool:
    return len(normal_text(text).split()) <= 8


def _is_quantity(text: str, amount: Amount) -> bool:
    """Return whether a text is one number with its unit: no date, no sentence, nothing with a second number."""
    rest = normal_text(text[: amount.start] + " " + text[amount.end :]) if amount.text in text else ""
    if len(rest.split()) > 2 or len(rest) > 24 or any(character.isdigit() for character in rest):
        return False
    return bool(amount.unit or amount.currency or amount.scale > 1) or read_period(text) is None


def _factor(scale: str | int | None) -> int:
    return scale if isinstance(scale, int) else _SCALES.get((scale or "").lower(), 1)


def _decimal(value: int | float) -> Decimal:
    """Return the shortest decimal of a number; 1577.0 is 1577."""
    decimal = Decimal(repr(value))
    return Decimal(int(decimal)) if decimal == decimal.to_integral_value() else decimal


@lru_cache(maxsize=65536)
def _gold(
    question: str, options: tuple[str, ...], text: str, option: int, value: float | None, unit: str | None, scale: int,
    decimals: int | None,
) -> Gold:  # fmt: skip
    if not options and value is None:
        return Gold.of(text, unit=unit, decimals=decimals, question=question)
    return Gold(
        text=text,
        kind="unknown" if value is not None and not math.isfinite(value) else "letters" if options else "number",
        value=None if value is None or not math.isfinite(value) else _decimal(value),
        unit=unit,
        scale=scale,
        decimals=decimals,
        options=options,
        option=option if options else None,
        also=(option,) if options else (),
        question=question,
    )


def gold_of(sample: Sample) -> Gold:
    """Return what the right answer of a sample is."""
    answer = sample.answer
    return _gold(
        sample.question,
        sample.options,
        answer.text,
        answer.option,
        answer.value,
        answer.unit,
        answer.scale,
        answer.decimals,
    )
