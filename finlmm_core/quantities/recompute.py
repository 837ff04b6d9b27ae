"""Answers computed again from the evidence and the program that a question carries."""

from __future__ import annotations

from decimal import Decimal

from finlmm_core.domain import QAPair
from finlmm_core.quantities.numbers import parse_number
from finlmm_core.quantities.programs import ProgramError, evaluate_program, program_names, round_half_up


def recomputed(pair: QAPair) -> Decimal:
    """Return what the question's program gives for its evidence, not rounded.

    Raises:
        ProgramError: the question has no program, the program uses a name that no evidence has a number for, or it
            has no result.
    """
    if pair.program is None:
        raise ProgramError(f"The question {pair.id} has no program.")
    values = {item.name: Decimal(repr(item.value)) for item in pair.evidence if item.value is not None}
    missing = program_names(pair.program) - values.keys()
    if missing:
        raise ProgramError(f"The program of {pair.id} uses {', '.join(sorted(missing))}, which no evidence has.")
    return evaluate_program(pair.program, values)


def answer_problems(pair: QAPair) -> list[str]:
    """Return what does not fit between a question's answer, options, program and evidence; [] where all does.

    A number's answer must be the program's result rounded to ``answer.decimals``. Where the answer is a label
    (``answer.unit == 'label'``), the program gives the place, from 1, of the winning item, and one of the evidence's
    labels must be the answer. Every value of the evidence must be what its printed text reads as.
    """
    problems = []
    if not 0 <= pair.answer.option < len(pair.options) or pair.options[pair.answer.option] != pair.answer.text:
        problems.append("the answer's text is not the option that it points to")
    if len(set(pair.options)) != len(pair.options):
        problems.append("two options are the same")
    for item in pair.evidence:
        number = parse_number(item.text)
        if item.value is not None and number is not None and number.value != Decimal(repr(item.value)):
            problems.append(f"evidence {item.name} reads {item.text!r} but holds {item.value}")
    if pair.program is None:
        return problems
    try:
        exact = recomputed(pair)
    except ProgramError as error:
        return [*problems, str(error)]
    if pair.answer.unit == "label":
        labels = {label for item in pair.evidence for label in item.labels}
        if exact != exact.to_integral_value() or exact < 1:
            problems.append(f"the program gives {exact}, which is no place in a list")
        if not any(pair.answer.text in label or label in pair.answer.text for label in labels):
            problems.append("the answer is no label of the evidence")
    elif pair.answer.value is None or pair.answer.decimals is None:
        problems.append("the answer has a program but no value")
    elif round_half_up(exact, pair.answer.decimals) != Decimal(repr(pair.answer.value)):
        problems.append(f"the program gives {exact}, the answer says {pair.answer.value}")
    return problems
