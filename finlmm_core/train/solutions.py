"""Worked solutions of samples, in the completion format, written from the program and the evidence.

A solution says which image the question is about and why, reads the values off it, works the program out step by step
and names the option: what a careful reader would write, and what the warm-up (stage method ``sft``) teaches. The steps
are computed, never guessed; a sample whose program does not lead to its answer has no solution.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from decimal import Decimal

from finlmm_core.domain import Evidence, QuestionType, Sample
from finlmm_core.prompts import LETTERS, selects_image, write_completion
from finlmm_core.quantities import ProgramError, parse_period, program_names, round_half_up
from finlmm_core.train.solution_steps import Item, Working, work_out, write_number
from finlmm_core.train.solution_wording import WORDS, SolutionWords

#: Raised with every change of the wording or the steps; part of the key of warm-up stages.
SOLUTION_VERSION = 1

_NAMED = 3  # rows, or values of a term, that are named before "and others"
_PRECISIONS = (6, 8, 10, 14)  # significant digits of rounded values, as many as the final rounding needs


def solution(sample: Sample) -> str | None:
    """Return a completion that answers the sample right and says how; None where nothing leads to the answer.

    It earns full marks for format, accuracy and image selection. The wording depends on the sample's id alone.
    """
    thinking = _Thinking(sample).write()
    if thinking is None:
        return None
    answer = LETTERS[sample.answer.option] if sample.options else sample.answer.text
    images = ", ".join(str(place + 1) for place in sample.gold_images) if selects_image(sample) else None
    return write_completion(thinking, answer, images)


class _Thinking:
    """Writes the reasoning of one sample."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.words: SolutionWords = WORDS[sample.language]
        self.with_images = selects_image(sample)

    def write(self) -> str | None:
        if self.sample.program is not None:
            sentences = self._worked()
        elif self.sample.type is QuestionType.FINANCIAL_EXPLANATION:
            sentences = self._explained()
        else:
            sentences = self._known()
        if sentences is None:
            return None
        return "".join(_sentence(text) + self.words.end for text in [*self._image(), *sentences] if text).strip()

    def pick(self, slot: str, wordings: Sequence[str]) -> str:
        """Return the wording that this sample uses in a place; another sample may use another."""
        digest = hashlib.sha256(f"{slot}:{self.sample.id}".encode()).digest()
        return wordings[digest[0] % len(wordings)]

    def quoted(self, text: str) -> str:
        return self.words.quote.format(text=text)

    def joined(self, parts: Sequence[str]) -> str:
        if len(parts) < 2:
            return "".join(parts)
        return self.words.listing.join(parts[:-1]) + self.words.last + parts[-1]

    def clauses(self, parts: Sequence[str]) -> str:
        if len(parts) < 2:
            return "".join(parts)
        return self.words.clauses.join(parts[:-1]) + self.words.last_clause + parts[-1]

    # -------------------------------------------------------------------------------------------------- parts

    def _image(self) -> list[str]:
        """Return the sentence that says which image, and by what."""
        if not self.with_images:
            return []
        number = self.joined([str(place + 1) for place in self.sample.gold_images])
        rows = [self.quoted(row) for row in dict.fromkeys(_row(item) for item in self._read()) if row]
        if not rows:
            return [self.pick("images", self.words.images_plain).format(number=number)]
        columns = list(dict.fromkeys(_column(item) for item in self._read()))
        what = self.joined(rows) if len(rows) <= _NAMED else self.words.listing.join(rows[:_NAMED]) + self.words.more
        if len(columns) == 1 and columns[0]:
            what = self.words.what.format(rows=what, column=self._period(columns[0]))
        return [self.pick("images", self.words.images).format(number=number, what=what)]

    def _read(self) -> list[Evidence]:
        """Return the evidence that is read off: the values of the program, or what has labels at all."""
        if self.sample.program is None:
            return [item for item in self.sample.evidence if item.labels]
        used = program_names(self.sample.program)
        return [item for item in self.sample.evidence if item.name in used]

    def _given(self) -> str:
        """Return the sentence with the values as they are printed; '' where there are none."""
        items = [item for item in self._read() if item.value is not None]
        if self.sample.program is None:
            items = items[:_NAMED]
        if not items:
            return ""
        columns = {_column(item) for item in items}
        by_row: dict[str, list[str]] = {}
        for item in items:
            column = _column(item) if len(columns) > 1 else ""
            shown = _printed(item)
            cell = self.words.cell.format(value=shown, column=self._period(column)) if column else self._bare(shown)
            by_row.setdefault(_row(item), []).append(cell)
        rows = [
            self.words.row.format(row=self.quoted(row), cells=self.clauses(cells)) if row else self.clauses(cells)
            for row, cells in by_row.items()
        ]
        values = self.words.between.join(rows) if len(columns) > 1 else self.clauses(rows)
        column = next(iter(columns))
        if len(columns) == 1 and column:
            values = self.words.column.format(column=self._period(column), cells=values)
        wordings = self.words.given if self.with_images else self.words.given_text
        return self.pick("given", wordings).format(values=values)

    def _bare(self, value: str) -> str:
        """Return a value without a column: Chinese needs the copula that English has in its 'at'."""
        return f"为{value}" if self.sample.language == "zh" else value

    def _period(self, column: str) -> str:
        """Return a column as it is where it is a period and nothing else ('2018', 'June 30, 2023'), else in quotes."""
        period = parse_period(column)
        plain = period is not None and len(column) - len(period.text) <= len("the ")
        return column if plain else self.quoted(column)

    def _answer(self) -> str:
        text = self.sample.answer.text.rstrip(".。")
        if not self.sample.options:
            return self.pick("answer", self.words.answer_open).format(answer=text)
        letter = LETTERS[self.sample.answer.option]
        shown = text if self.sample.answer.value is not None or len(text) < 40 else self.quoted(text)
        return self.pick("answer", self.words.answer).format(answer=shown, letter=letter)

    # ------------------------------------------------------------------------------------------------ programs

    def _worked(self) -> list[str] | None:
        """Return the values, the steps of the program and the answer; None where they do not fit together."""
        working = self._working()
        if working is None:
            return None
        steps = list(working.steps)
        if self.sample.answer.unit == "label":
            steps += self._margin(working)
            sentence = self.pick("compare", self.words.compare).format(steps=self.words.between.join(steps))
            return [self._given(), sentence, self._answer()]
        sentence = self.pick("calculate", self.words.calculate).format(steps=self.words.between.join(steps))
        return [self._given(), sentence if steps else "", self._rounding(working), self._answer()]

    def _working(self) -> Working | None:
        program = self.sample.program or ""
        try:
            items = self._items()
            for digits in _PRECISIONS:
                working = work_out(program, items, self.words.steps, digits)
                if self._leads_to_answer(working):
                    return working
        except ProgramError:
            return None
        return None

    def _items(self) -> dict[str, Item]:
        """Return what each name of the program is called in the steps: by what sets it apart from the others."""
        read = [item for item in self._read() if item.value is not None]
        rows, columns = {_row(item) for item in read}, {_column(item) for item in read}
        thirds = {item.labels[2] for item in read if len(item.labels) > 2}
        items = {}
        for item in read:
            column = self._period(_column(item)) if _column(item) else ""
            if len(rows) > 1:
                row = self.quoted(_row(item)) if _row(item) else ""
                name = f"{row} ({column})" if len(columns) > 1 and column else row
            elif len(columns) > 1:
                # periods: a third label of each one's own is how the question calls it; one of all is their section
                spoken = item.labels[2] if len(thirds) > 1 and len(item.labels) > 2 else ""
                row = name = spoken if spoken and spoken.lower() != _column(item).lower() else column
            else:
                row = name = self.quoted(item.labels[2]) if len(item.labels) > 2 else ""
            items[item.name] = Item(name, row, Decimal(repr(item.value)))
        return items

    def _leads_to_answer(self, working: Working) -> bool:
        """Return whether the last step, as it is shown, rounds to the answer, or picks the label that is the answer."""
        answer = self.sample.answer
        if answer.unit == "label":
            chosen = self._chosen(int(working.result))
            return any(label in answer.text or answer.text in label for item in chosen for label in item.labels)
        if answer.value is None:
            return False
        wanted = Decimal(repr(answer.value))
        decimals = answer.decimals if answer.decimals is not None else _decimals(wanted)
        shown = Decimal(working.shown.text.replace(",", ""))
        return round_half_up(shown, decimals) == wanted == round_half_up(working.result, decimals)

    def _chosen(self, place: int) -> list[Evidence]:
        """Return the evidence of the item that ``argmax`` or ``argmin`` chose, by its place from 1."""
        call = ast.parse((self.sample.program or "").strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not 1 <= place <= len(call.args):
            return []
        names = program_names(ast.unparse(call.args[place - 1]))
        return [item for item in self._read() if item.name in names]

    def _margin(self, working: Working) -> list[str]:
        """Return 'a - b = c' where the answer says by how much as well: '2021, by 4.2 percentage points'."""
        items = self._read()
        chosen = {label for item in self._chosen(int(working.result)) for label in item.labels}
        if len(items) != 2 or self.sample.answer.text in chosen or any(item.value is None for item in items):
            return []
        low, high = sorted(Decimal(repr(item.value)) for item in items)
        subtracted = f"({write_number(low).text})" if low < 0 else write_number(low).text
        return [f"{write_number(high).text} - {subtracted} = {write_number(high - low).text}"]

    def _rounding(self, working: Working) -> str:
        """Return the sentence about rounding; '' where the last step is the answer's number already."""
        answer = self.sample.answer
        if working.shown.exact and working.result == Decimal(repr(answer.value)):
            return ""
        shown = working.shown.text
        return self.pick("rounded", self.words.rounded).format(shown=shown, answer=answer.text)

    # ------------------------------------------------------------------------------------------------- in words

    def _explained(self) -> list[str] | None:
        """Return why what happened did; the evidence names the effect and the cause."""
        named = {item.name: item.text for item in self.sample.evidence}
        effect, cause = named.get("effect"), self.sample.answer.text
        if not effect:
            return None
        wordings = self.words.cause_text if self.sample.context else self.words.cause
        sentence = self.pick("cause", wordings).format(effect=effect.rstrip(".。"), cause=cause.rstrip(".。"))
        return [sentence, self._letter()]

    def _known(self) -> list[str] | None:
        """Return what a term means, is computed by, or tells when it moves."""
        term = next((item.text for item in self.sample.evidence if item.name == "term"), None)
        if term is None:
            return None
        answer = self.quoted(self.sample.answer.text.rstrip(".。"))
        sentence = self.pick("meaning", self.words.meaning).format(term=self.quoted(term), answer=answer)
        others = self.pick("others", self.words.others) if len(self.sample.options) > 1 else ""
        return [self._given(), sentence, self._letter(), others]

    def _letter(self) -> str:
        """Return the sentence that names the option; the answer itself has been said."""
        if not self.sample.options:
            return ""
        return self.pick("letter", self.words.letter).format(letter=LETTERS[self.sample.answer.option])


def _row(item: Evidence) -> str:
    return item.labels[0] if item.labels else ""


def _column(item: Evidence) -> str:
    return item.labels[1] if len(item.labels) > 1 else ""


def _printed(item: Evidence) -> str:
    """Return a value as printed, its signs closed up; a negative in parentheses gets its minus."""
    text = " ".join(item.text.split()).replace("$ ", "$").replace(" %", "%").replace("£ ", "£").replace("€ ", "€")
    if item.value is not None and item.value < 0 and "(" in text:
        return write_number(Decimal(repr(item.value))).text + ("%" if "%" in text else "")
    return text


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text[:1].isascii() else text
