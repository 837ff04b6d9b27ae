"""One company's voice: which wording it uses for each line item, how it prints numbers, and its causal sentences."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from finlmm_core.synth.finance import Company, FiscalYear
from finlmm_core.synth.phrases import Phrases, Sector, UnitWords


class Statement(NamedTuple):
    """A causal sentence and what it says."""

    text: str
    subject: str
    cause: str
    rises: bool


class Voice:
    """Wording of one report. Line items keep their names from year to year; prose does not.

    Args:
        phrases: of the report's language.
        sector: of the company.
        units: how money is printed.
        company: whose report it is.
        rng: draws for this report.
    """

    def __init__(
        self, phrases: Phrases, sector: Sector, units: UnitWords, company: Company, rng: random.Random
    ) -> None:
        self.phrases, self.sector, self.units, self.company, self.rng = phrases, sector, units, company, rng
        fixed = random.Random(f"voice {company.key} {company.name}")
        self.labels = {key: fixed.choice(options) for key, options in phrases.labels.items()}
        self.unit_heading = fixed.choice(units.headings)
        self.negative_brackets = phrases.language == "en" or fixed.random() < 0.3
        self._used: set[str] = set()

    @property
    def zh(self) -> bool:
        return self.phrases.language == "zh"

    def label(self, key: str) -> str:
        return self.labels[key]

    def low(self, text: str) -> str:
        """Return a label as it stands inside a sentence."""
        if self.zh or (len(text) > 1 and text[1].isupper()):
            return text
        return text[0].lower() + text[1:]

    def pick(self, options: tuple[str, ...]) -> str:
        """Return one option, preferring those that this report has not used yet."""
        fresh = [option for option in options if option not in self._used]
        chosen = self.rng.choice(fresh or list(options))
        self._used.add(chosen)
        return chosen

    def fill(self, text: str) -> str:
        """Choose among the alternatives ``[a|b]`` of a phrase and fill in sector words and the company's name."""
        text = re.sub(r"\[([^\[\]]*\|[^\[\]]*)\]", lambda found: self.rng.choice(found[1].split("|")), text)
        for name, options in (
            ("product", self.sector.products),
            ("input", self.sector.inputs),
            ("customer", self.sector.customers),
        ):
            while f"{{{name}}}" in text:
                text = text.replace(f"{{{name}}}", self.rng.choice(options), 1)
        return text.replace("{company}", self.company.short)

    # ------------------------------------------------------------------ numbers

    def amount(self, ticks: int) -> str:
        """Return an amount as tables print it."""
        unit = self.company.unit
        text = f"{abs(ticks) / unit.ticks:,.{unit.decimals}f}"
        if ticks < 0:
            return f"({text})" if self.negative_brackets else f"-{text}"
        return text if ticks else ("–" if not self.zh else "-")

    def money(self, ticks: int) -> str:
        """Return an amount as prose prints it, unit included."""
        unit = self.company.unit
        number = f"{abs(ticks) / unit.ticks:,.{unit.decimals}f}"
        text = self.units.prose.format(number)
        return f"-{text}" if ticks < 0 else text

    def value(self, ticks: int) -> float:
        """Return an amount in the printed unit."""
        unit = self.company.unit
        return round(ticks / unit.ticks, unit.decimals)

    @staticmethod
    def percent(now: float, before: float) -> float:
        """Return growth in percent, one decimal, half away from zero."""
        return round((now - before) / abs(before) * 100 + (1e-9 if now > before else -1e-9), 1)

    def percent_cell(self, now: int, before: int) -> str:
        """Return growth as a table cell prints it; a dash where it has no meaning."""
        if before == 0 or (now < 0) != (before < 0):
            return "n/m" if not self.zh else "-"
        growth = self.percent(now, before)
        text = f"{abs(growth):.1f}%"
        if growth < 0:
            return f"({text})" if self.negative_brackets and not self.zh else f"-{text}"
        return text

    # ------------------------------------------------------------------ sentences

    def statement(
        self, subject: str, kind: str, now: FiscalYear, before: FiscalYear, a: int, b: int
    ) -> Statement | None:
        """Return a causal sentence about an amount that went from ``b`` to ``a`` ticks; None where it has no sign."""
        if a <= 0 or b <= 0 or a == b:
            return None
        growth = self.percent(a, b)
        if abs(growth) < 0.1:
            return None
        return self._sentence(
            self.phrases.sentences,
            subject,
            kind,
            a > b,
            percent=f"{abs(growth):.1f}%",
            now=self.money(a),
            before=self.money(b),
            year=now.year,
            prior=before.year,
        )

    def points(self, subject: str, now: FiscalYear, before: FiscalYear, a: float, b: float) -> Statement | None:
        """Return a causal sentence about a margin that went from ``b`` to ``a`` percent."""
        if abs(a - b) < 0.05:
            return None
        return self._sentence(
            self.phrases.point_sentences,
            subject,
            "margin",
            a > b,
            points=f"{abs(a - b):.1f}",
            now=f"{a:.1f}%",
            before=f"{b:.1f}%",
            year=now.year,
            prior=before.year,
        )

    def _sentence(
        self, templates: tuple[str, ...], subject: str, kind: str, rises: bool, **fields: object
    ) -> Statement:
        template = self.rng.choice(templates)
        cause = self.fill(self.pick(self.phrases.causes[kind + ("+" if rises else "-")]))
        text = template.format(
            subject=subject,
            subject_low=self.low(subject),
            cause=cause,
            link=self.rng.choice(self.phrases.links),
            verb=self.rng.choice(self.phrases.rises if rises else self.phrases.falls),
            **fields,
        )
        return Statement(re.sub(r"  +", " ", text), subject, cause, rises)

    def caption(self, key: str, first: int, last: int) -> str:
        """Return a caption of this kind, without its number."""
        text = self.pick(self.phrases.captions[key])
        names = {name: self.labels[name] for name in ("revenue", "operating", "segment_profit")}
        lows = {f"{name}_low": self.low(label) for name, label in names.items()}
        return text.format(first=first, last=last, **names, **lows)
