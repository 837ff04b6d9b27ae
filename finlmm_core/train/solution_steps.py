"""The steps of a program as a reader would write them: ``150 - 120 = 30``, then ``30 / 120 * 100 = 25``.

Every step is computed in exact decimal arithmetic by the same evaluator that made the answer. ``=`` stands where both
sides are exact as written, ``≈`` where a side is rounded. A step after a rounded one is computed from the digits that
are shown, and so many are shown that the final rounding comes out of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from finlmm_core.quantities import ProgramError, evaluate_program, format_number, round_half_up
from finlmm_core.train.solution_wording import StepWords

_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "=",
    ast.NotEq: "≠",
}
_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "≠", "≠": "="}


class Item(NamedTuple):
    """A piece of evidence that a program uses: what it is called and what it says."""

    name: str  # '"Net sales"', '2018', '"Cost of sales" (2017)'
    row: str  # the same without what a pair of the same row differs in
    value: Decimal


class Term(NamedTuple):
    """A value as it is written in a step: exact, or rounded to significant digits."""

    value: Decimal
    text: str
    exact: bool


class Working(NamedTuple):
    """The steps of a program, in order, and what comes out, not rounded, and as the last step shows it."""

    steps: tuple[str, ...]
    result: Decimal
    shown: Term


def work_out(program: str, items: Mapping[str, Item], words: StepWords, digits: int = 6) -> Working:
    """Return the steps of a program.

    Args:
        program: an expression as ``evaluate_program`` takes it.
        items: what its names stand for.
        words: of the sample's language.
        digits: significant digits of values that are rounded.

    Raises:
        ProgramError: the program cannot be computed.
    """
    # Before anything else: this refuses whatever is not allowed in a program.
    result = evaluate_program(program, {name: item.value for name, item in items.items()})
    writer = _Writer(items, words, digits)
    shown = writer.reduce(ast.parse(program.strip(), mode="eval").body)
    return Working(tuple(writer.steps), result, shown)


def write_number(value: Decimal, digits: int = 6) -> Term:
    """Return a value as it stands in a step: in full up to six decimals, else rounded to significant digits."""
    if value == round_half_up(value, 6):
        plain = value.normalize()
        exponent = plain.as_tuple().exponent
        decimals = max(0, -exponent) if isinstance(exponent, int) else 0
        return Term(value, format_number(value, decimals), True)
    return Term(value, format_number(value, max(2, digits - 1 - value.adjusted())), False)


class _Writer:
    """Walks a program from the inside out; every part that is computed adds a step."""

    def __init__(self, items: Mapping[str, Item], words: StepWords, digits: int) -> None:
        self.items = items
        self.words = words
        self.digits = digits
        self.steps: list[str] = []
        self.values = {name: item.value for name, item in items.items()}

    def value(self, node: ast.expr) -> Decimal:
        return evaluate_program(ast.unparse(node), self.values)

    def reduce(self, node: ast.expr) -> Term:
        """Return the node's value as it is written, after the steps that lead to it."""
        if isinstance(node, ast.Name | ast.Constant | ast.UnaryOp):
            return write_number(self.value(node), self.digits)
        if isinstance(node, ast.BinOp):
            return self._power(node) if isinstance(node.op, ast.Pow) else self._chain(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._calls[node.func.id](self, node)
        if isinstance(node, ast.Compare):
            self.steps.append(self._comparison(node)[0])
            return write_number(self.value(node), self.digits)
        raise ProgramError(f"no steps are known for '{ast.unparse(node)[:80]}'")

    # --------------------------------------------------------------------------------------------- operators

    def _chain(self, node: ast.BinOp) -> Term:
        """``x / y * 100`` and ``x + y - z`` are one step each, after the steps of what stands in parentheses."""
        same = (ast.Add, ast.Sub) if isinstance(node.op, ast.Add | ast.Sub) else (ast.Mult, ast.Div)
        operands: list[tuple[str, ast.expr]] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp) and isinstance(left.op, same):
            operands.append((_OPERATORS[type(left.op)], left.right))
            left = left.left
        first = self.reduce(left)
        rest = [(sign, self.reduce(operand)) for sign, operand in reversed(operands)]
        written = first.text + "".join(f" {sign} {_operand(term)}" for sign, term in rest)
        return self._equal(written, self.value(node), [first, *(term for _, term in rest)], same[0] is ast.Add)

    def _power(self, node: ast.BinOp) -> Term:
        base = self.reduce(node.left)
        exponent = ast.unparse(node.right)
        written = f"{_operand(base)}^({exponent})" if not exponent.isdigit() else f"{_operand(base)}^{exponent}"
        return self._equal(written, self.value(node), [base], False)

    def _equal(self, written: str, value: Decimal, operands: list[Term], added: bool) -> Term:
        """Add the step ``written = value`` and return the value as it is shown."""
        term = write_number(value, self.digits)
        if not all(operand.exact for operand in operands):
            rounded = [operand.text for operand in operands if not operand.exact]
            # Computed from what is written, so that the step holds for who computes it again; and as known as its
            # parts: a sum to the decimals that they show, a product to as many digits.
            again = _computed(written)
            if added:
                decimals = min(_decimals(text) for text in rounded)
            else:
                decimals = max(0, min(_significant(text) for text in rounded) - 1 - again.adjusted())
            term = Term(value, format_number(again, decimals), False)
        self.steps.append(f"{written} {'=' if term.exact else '≈'} {term.text}")
        return term

    # --------------------------------------------------------------------------------------------- functions

    def _arguments(self, node: ast.Call) -> list[Term]:
        return [self.reduce(argument) for argument in node.args]

    def _sum(self, node: ast.Call) -> Term:
        terms = self._arguments(node)
        if len(terms) == 1:
            return terms[0]
        written = terms[0].text + "".join(f" + {_operand(term)}" for term in terms[1:])
        return self._equal(written, sum((term.value for term in terms), Decimal(0)), terms, True)

    def _mean(self, node: ast.Call) -> Term:
        total = self._sum(node)
        return self._equal(f"{total.text} / {len(node.args)}", self.value(node), [total], False)

    def _median(self, node: ast.Call) -> Term:
        ordered = sorted(self._arguments(node), key=lambda term: term.value)
        self.steps.append(self.words.sorted_up.format(values=self.words.then.join(term.text for term in ordered)))
        middle = len(ordered) // 2
        if len(ordered) % 2:
            self.steps.append(self.words.middle.format(value=ordered[middle].text))
            return ordered[middle]
        two = ordered[middle - 1 : middle + 1]
        return self._equal(f"({two[0].text} + {_operand(two[1])}) / 2", self.value(node), two, True)

    def _extreme(self, node: ast.Call) -> Term:
        terms = self._arguments(node)
        largest = isinstance(node.func, ast.Name) and node.func.id == "max"
        place = _best([term.value for term in terms], largest)
        argument = node.args[place]
        name = self.items[argument.id].name if isinstance(argument, ast.Name) else ""
        phrase = self.words.largest if largest else self.words.smallest
        self.steps.append(phrase.format(value=terms[place].text, name=self.words.of_name.format(name=name)) if name
                          else phrase.format(value=terms[place].text, name=""))  # fmt: skip
        return terms[place]

    def _absolute(self, node: ast.Call) -> Term:
        term = self.reduce(node.args[0])
        return self._equal(f"|{term.text}|", self.value(node), [term], False)

    def _round(self, node: ast.Call) -> Term:
        term = self.reduce(node.args[0])
        result = write_number(self.value(node), self.digits)
        if result.text != term.text:
            self.steps.append(self.words.rounds.format(value=term.text, rounded=result.text))
        return result

    def _winner(self, node: ast.Call) -> Term:
        """``argmax`` and ``argmin``, over values or over expressions that each stand for one item."""
        largest = isinstance(node.func, ast.Name) and node.func.id == "argmax"
        plain = all(isinstance(argument, ast.Name) for argument in node.args)
        terms = []
        for argument in node.args:
            before = len(self.steps)
            terms.append(self.reduce(argument))
            if not plain:
                self.steps[before:] = [f"{self._row(argument)}{self.words.colon}{'; '.join(self.steps[before:])}"]
        place = _best([term.value for term in terms], largest)
        name = self._name(node.args[place]) if plain else self._row(node.args[place])
        phrase = self.words.largest if largest else self.words.smallest
        self.steps.append(phrase.format(value=terms[place].text, name=self.words.of_name.format(name=name)))
        return Term(Decimal(place + 1), str(place + 1), True)

    def _rank(self, node: ast.Call) -> Term:
        asked, *others = node.args
        named = [(self.reduce(argument), self._name(argument)) for argument in others]
        named.sort(key=lambda pair: -pair[0].value)
        listed = self.words.then.join(
            self.words.named.format(value=term.text, name=name) if name else term.text for term, name in named
        )
        self.steps.append(self.words.sorted_down.format(values=listed))
        above = sum(term.value > self.value(asked) for term, _ in named)
        self.steps.append(self.words.above[min(above, 2)].format(count=above, name=self._name(asked)))
        return write_number(self.value(node), self.digits)

    def _count(self, node: ast.Call) -> Term:
        held = 0
        for argument in node.args:
            if isinstance(argument, ast.Compare):
                written, holds = self._comparison(argument)
                self.steps.append(f"{self._row(argument)}{self.words.colon}{written}")
            else:
                holds = self.reduce(argument).value != 0
            held += holds
        self.steps.append(self.words.counted.format(count=held, all=len(node.args)))
        return Term(Decimal(held), str(held), True)

    def _comparison(self, node: ast.Compare) -> tuple[str, bool]:
        left, right = self.reduce(node.left), self.reduce(node.comparators[0])
        sign = _COMPARISONS[type(node.ops[0])]
        holds = self.value(node) != 0
        word = self.words.yes if holds else self.words.no
        return f"{left.text} {sign if holds else _OPPOSITE[sign]} {right.text}{word}", holds

    # ------------------------------------------------------------------------------------------------- names

    def _name(self, node: ast.expr) -> str:
        return self.items[node.id].name if isinstance(node, ast.Name) else ""

    def _row(self, node: ast.expr) -> str:
        """Return what the first item in an expression is about."""
        names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in self.items]
        return self.items[min(names)].row if names else ""

    _calls: Mapping[str, Callable[[_Writer, ast.Call], Term]] = {
        "sum": _sum,
        "mean": _mean,
        "median": _median,
        "max": _extreme,
        "min": _extreme,
        "abs": _absolute,
        "round": _round,
        "count": _count,
        "rank": _rank,
        "argmax": _winner,
        "argmin": _winner,
    }


def _operand(term: Term) -> str:
    return f"({term.text})" if term.text.startswith("-") else term.text


def _computed(written: str) -> Decimal:
    """Return what the left side of a step comes to in the digits that are written."""
    plain = written.replace(",", "").replace("^", "**")
    return evaluate_program(f"abs({plain.strip('|')})" if plain.startswith("|") else plain, {})


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _significant(text: str) -> int:
    return max(1, len(text.replace(",", "").replace(".", "").lstrip("-0")))


def _best(values: list[Decimal], largest: bool) -> int:
    return values.index(max(values) if largest else min(values))
