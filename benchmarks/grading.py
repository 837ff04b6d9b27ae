"""How well the grader agrees with graded responses, and whether gold answers pass and wrong forms of them do not.

Usage: python benchmarks/grading.py --data FOLDER [--show]

FOLDER holds ``graded_responses.jsonl`` (question, gold, response, label, source, and 'extracted' where the official
grader's own extraction is known) and ``records.jsonl`` (question, answer, scale, source, table). Prints as JSON lines:

    grading.FinMMR             share of responses graded as the official script labelled them
    grading.FinMMR.extracted   the same for the official extractions, so without our extraction
    grading.FinanceBench       share graded as people labelled them, of those whose gold answer is a number;
                               a refusal counts as incorrect
    grading.tatqa.accepted     share of the gold answers' six right written forms that are accepted
    grading.tatqa.refused      share of their six wrong forms that are refused
    grading.gold               share of all gold answers of all records that their own grader gives full marks
    grading.speed              completions graded a second on one core

With --show every disagreement is printed to standard error, by cause.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from finlmm_core.answers import Gold, Grade, grade_answer, grade_completion, parse_answer
from finlmm_core.quantities import format_number, parse_number

Record = dict[str, Any]
_WORDS = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PROFILES = {"TAT-QA": "tatqa", "FinMMR": "finmmr"}
_OTHER = {"thousand": "million", "million": "thousand", "billion": "million"}


def read(path: Path) -> list[Record]:
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def report(what: str, value: float, unit: str, n: int, **more: object) -> None:
    """Print one measurement."""
    print(json.dumps({"what": what, "value": round(value, 4), "unit": unit, "n": n, **more}, ensure_ascii=False))


def cause(label: str, grade: Grade) -> str:
    """Name a disagreement by what was labelled and what the grader found."""
    return f"labelled {label}, graded {grade.value} ({grade.reason})"


def agreement(what: str, cases: list[tuple[str, Grade, str]], show: bool) -> None:
    """Report how many grades agree with their labels; list the others by cause."""
    wrong: dict[str, list[str]] = defaultdict(list)
    for label, grade, told in cases:
        if (grade.value == 1.0) != (label == "correct"):
            wrong[cause(label, grade)].append(told)
    agreed = len(cases) - sum(map(len, wrong.values()))
    causes = dict(Counter({name: len(told) for name, told in wrong.items()}).most_common())
    report(what, agreed / max(len(cases), 1), "share", len(cases), disagreements=causes)
    if show:
        for name in causes:
            for told in wrong[name]:
                print(f"[{what}] {name}\n    {told}", file=sys.stderr)


def told(case: Record, answer: str, grade: Grade) -> str:
    """Return what a person needs to see of a disagreement."""
    return f"gold {case['gold']!r} | read {grade.given.value} {grade.given.text[-90:]!r} | {answer[-240:]!r}"


def measure_responses(responses: list[Record], show: bool) -> None:
    """Compare with the official FinMMR labels and with FinanceBench's people."""
    finmmr = [case for case in responses if "FinMMR" in case["source"]]
    graded = [(case, grade_completion(case["response"], _gold(case), "finmmr")) for case in finmmr]
    agreement("grading.FinMMR", [(c["label"], g, told(c, c["response"], g)) for c, g in graded], show)
    known = [case for case in finmmr if case.get("extracted") not in (None, "", "None")]
    graded = [(case, grade_answer(str(case["extracted"]), _gold(case), "finmmr")) for case in known]
    agreement("grading.FinMMR.extracted", [(c["label"], g, told(c, str(c["extracted"]), g)) for c, g in graded], show)
    bench = [case for case in responses if "financebench" in case["source"] and _is_number(case["gold"])]
    graded = [(case, grade_completion(case["response"], _gold(case), "finance-bench")) for case in bench]
    agreement("grading.FinanceBench", [(c["label"], g, told(c, c["response"], g)) for c, g in graded], show)


def _gold(case: Record) -> Gold:
    return Gold.of(case["gold"], question=case["question"])


def _is_number(gold: object) -> bool:
    return isinstance(gold, int | float) or (isinstance(gold, str) and parse_number(gold.strip()) is not None)


# ---------------------------------------------------------------------------------------------------- TAT-QA forms


def _trim(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _grouped(value: Decimal) -> str:
    return format_number(value, max(0, -int(value.normalize().as_tuple().exponent)))


def right_forms(value: Decimal, scale: str, sign: str) -> list[str]:
    """Return six ways of writing a number of a scale: all of them say the same."""
    plain, grouped = _trim(value), _grouped(value)
    minus, digits = ("-", grouped.lstrip("-")) if value < 0 else ("", grouped)
    bracketed = f"({grouped.lstrip('-')})" if value < 0 else f"+{grouped}"
    if scale == "percent":
        share = _trim(value / 100)
        wide = f"{plain}%".translate(str.maketrans("0123456789.%-", "０１２３４５６７８９．％－"))
        return [f"{plain}%", f"{grouped} percent", share, f"The change was {plain} %.", wide, f"\\boxed{{{plain}\\%}}"]
    if scale in _WORDS:
        factor = _WORDS[scale]
        amount = _grouped(value * factor)
        below = {"thousand": ("thousand", 1), "million": ("thousand", 1000), "billion": ("million", 1000)}[scale]
        less = _grouped(value * below[1])
        return [
            f"{plain} {scale}",
            f"{minus}{sign}{digits} {scale}",
            amount,
            f"{less} {below[0]}",
            f"{bracketed} {scale}",
            plain,
        ]
    return [plain, grouped, f"{minus}{sign}{digits}", bracketed, f"**{grouped}**", f"The answer is {grouped}."]


def wrong_forms(value: Decimal, scale: str, neighbour: Decimal | None) -> list[str]:
    """Return wrong answers near a right one: scale, factor, sign, percent, last digits, and a neighbouring cell."""
    plain = _trim(value)
    unit = "%" if scale == "percent" else f" {scale}" if scale else ""
    forms = [f"{_trim(value * 1000)}{unit}", f"{_trim(value / 1000)}{unit}"]
    forms.append(f"{_trim(-value)}{unit}")
    forms.append(
        f"{_trim(value * 100)}%" if scale == "percent" else f"{plain} {_OTHER[scale]}" if scale else f"{plain}%"
    )
    step = Decimal(1).scaleb(int(value.normalize().as_tuple().exponent))
    forms.append(f"{_trim(value + (step * 3 if value >= 0 else -step * 3))}{unit}")
    if neighbour is not None:
        forms.append(f"{_trim(neighbour)}{unit}")
    return forms


def _neighbour(record: Record, value: Decimal) -> Decimal | None:
    """Return the table's number nearest in size to the value that is another one."""
    cells = [parse_number(str(cell)) for row in record.get("table") or () for cell in row]
    others = sorted({cell.value for cell in cells if cell}, key=lambda cell: abs(cell - value))
    far = max(Decimal("0.02"), abs(value) * Decimal("0.001"))
    return next((cell for cell in others if abs(cell - value) > far and abs(cell) != abs(value)), None)


def measure_tatqa(records: list[Record], show: bool) -> None:
    """Grade TAT-QA's golds in six right and six wrong written forms."""
    accepted: list[tuple[str, Grade, str]] = []
    refused: list[tuple[str, Grade, str]] = []
    for record in records:
        if "TAT-QA" not in record["source"]:
            continue
        gold = Gold.of(record["answer"], scale=record["scale"] or "", question=record["question"])
        for right, wrong in _forms(record, gold):
            for label, forms, cases in (("correct", right, accepted), ("incorrect", wrong, refused)):
                for form in forms:
                    cases.append((label, grade_completion(form, gold, "tatqa"), f"{record['answer']!r} as {form!r}"))
    agreement("grading.tatqa.accepted", accepted, show)
    agreement("grading.tatqa.refused", refused, show)


def _forms(record: Record, gold: Gold) -> Iterator[tuple[list[str], list[str]]]:
    """Yield right and wrong written forms of a gold answer."""
    if gold.kind == "number" and gold.value is not None:
        scale = {10**3: "thousand", 10**6: "million", 10**9: "billion"}.get(gold.scale, "")
        scale = "percent" if gold.unit == "percent" else scale
        near = _neighbour(record, gold.value)
        wrong = wrong_forms(gold.value, scale, near) if gold.value else ["7", "-3%", "1 million"]
        yield right_forms(gold.value, scale, {"EUR": "€", "GBP": "£"}.get(gold.unit or "", "$")), wrong
    elif gold.kind == "list":
        items = list(gold.items)
        right = [joint.join(items) for joint in (", ", "; ", " and ", "\n", "、")]
        more, other = ", ".join([*items, "7,777"]), "; ".join([*items[:-1], "9.87"])
        yield [*right, f"[{', '.join(items)}]"], [", ".join(items[:-1]), more, other, "", items[0][:-1], "none"]
    else:
        text = gold.text
        yield (
            [text, text.upper(), f"**{text}**", f"<answer>{text}</answer>", f"\\boxed{{{text}}}", f'"{text}"'],
            ["", text[: len(text) // 2], f"not {text}", "2003", "I cannot answer this question.", f"{text} or 2004"],
        )


def measure_gold(records: list[Record], show: bool) -> None:
    """Grade every gold answer of every record against itself, with its benchmark's profile."""
    cases = []
    for record in records:
        profile = next((name for key, name in _PROFILES.items() if key in record["source"]), "finance-bench")
        gold = Gold.of(record["answer"], scale=record["scale"], question=record["question"])
        grade = grade_answer(gold.text, gold, profile)
        cases.append(("correct", grade, f"{record['id']} {gold.text[:80]!r} as {gold.kind}"))
    agreement("grading.gold", cases, show)


def measure_speed(responses: list[Record]) -> None:
    """Report how many completions are graded a second, each text once so that nothing comes from a cache."""
    golds = [_gold(case) for case in responses]
    begun = time.process_time()
    rounds = 3
    for number in range(rounds):
        for case, gold in zip(responses, golds, strict=True):
            grade_completion(f"{case['response']} {'.' * number}", gold, "finmmr")
    long = time.process_time() - begun
    report("grading.speed", rounds * len(responses) / long, "completions/s", rounds * len(responses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with graded_responses.jsonl and records.jsonl")
    parser.add_argument("--show", action="store_true", help="print every disagreement")
    arguments = parser.parse_args()
    parse_answer("1")  # compiles what is compiled on first use
    responses = read(arguments.data / "graded_responses.jsonl")
    records = read(arguments.data / "records.jsonl")
    japanese = arguments.data / "jfinqa_ja.jsonl"
    measure_responses(responses, arguments.show)
    measure_tatqa(records, arguments.show)
    measure_gold(records + (read(japanese) if japanese.is_file() else []), arguments.show)
    measure_speed(responses)


if __name__ == "__main__":
    main()
