"""Does the adversarial reward learn on realistic rollouts, and what does it cost?

Rollouts are written from the samples of a run: worked solutions, and solutions with one mistake that is carried through
to the answer. The reward observes them in order, as in training, and is then measured on questions whose rollouts it
never learned from, for each kind of mistake apart (a tie counts half, .5 is chance):

* ``misread``: one value is a neighbour of the context, or has digits mixed up
* ``row``: one value is that of another row, and is named so
* ``year``: one value is said to be of another year
* ``exchanged``: two values are taken for each other
* ``operation``: another program (operands swapped, another base, a value left out, the smallest for the largest)
* ``slip``: a calculation on the way is wrong, the rest goes on as if it were right
* ``step``: a step is missing
* ``guess``: the reasoning is right, the answer is another; hidden from the reward on purpose, so .5 is all it can reach

    python benchmarks/adversarial.py --run RUN --encoder tiny
    python benchmarks/adversarial.py --run RUN --encoder minilm --freeze

Prints one JSON object a line; seconds are CPU time of one thread. ``mask.swapped_alike`` is the share of worked
solutions that read the same, their answer hidden, whichever option their last sentence and their answer name.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import torch
from finlmm_rewards.adversarial import Adversarial
from finlmm_rewards.adversarial.buffer import is_held_out
from finlmm_rewards.adversarial.corruptions import another_result, dropped_step
from finlmm_rewards.adversarial.measures import auc, brier, calibration_error
from finlmm_rewards.adversarial.options import AdversarialOptions
from finlmm_rewards.adversarial.reading import reading

from finlmm_core import RewardContext, Score
from finlmm_core.answers import read_tags
from finlmm_core.domain import Sample
from finlmm_core.quantities import ProgramError, evaluate_program, find_numbers, format_number, round_half_up
from finlmm_core.rewards.masking import mask_answer
from finlmm_core.steps.sampling.parquet import read_samples
from finlmm_core.train.solutions import solution

LETTERS = "ABCDEFGHIJ"
_YEAR = re.compile(r"(?:19|20)\d\d")


def answered(sample: Sample) -> Sample | None:
    """Return the sample with the answer that its program now gives; None where that is the answer of before."""
    values = {item.name: Decimal(repr(item.value)) for item in sample.evidence if item.value is not None}
    answer = sample.answer
    if answer.value is None or answer.decimals is None:
        return None
    try:
        value = round_half_up(evaluate_program(sample.program or "", values), answer.decimals)
    except ProgramError:
        return None
    if abs(value - Decimal(repr(answer.value))) <= abs(value) * Decimal("0.01"):
        return None
    printed = find_numbers(answer.text)
    text = format_number(value, answer.decimals)
    if printed:
        digits = re.search(r"\d[\d,]*(?:\.\d+)?", printed[0].text)
        if digits is not None:
            sign = "-" if value < 0 else ""
            text = sign + answer.text.replace("-", "").replace(digits.group(), text.lstrip("-"), 1)
    return sample.model_copy(update={"answer": answer.model_copy(update={"text": text, "value": float(value)})})


def with_item(sample: Sample, place: int, **changes: object) -> Sample:
    """Return the sample with one piece of evidence changed."""
    evidence = list(sample.evidence)
    evidence[place] = evidence[place].model_copy(update=changes)
    return sample.model_copy(update={"evidence": tuple(evidence)})


def another_number(sample: Sample, place: int, chance: random.Random) -> tuple[str, float]:
    """Return another number as printed, of the context where it has one like it."""
    item = sample.evidence[place]
    value = item.value or 0.0
    decimals = len(item.text.partition(".")[2].rstrip(" %)"))
    near = [
        abs(float(number.value))
        for number in find_numbers(sample.context)
        if number.decimals == decimals and 0.2 < abs(float(number.value)) / max(abs(value), 1e-9) < 5
    ]
    near = [other for other in near if other != abs(value) and not 1900 <= other <= 2100]
    if near:
        other = chance.choice(near)
    else:
        digits = list(f"{abs(value):.{decimals}f}")
        at = chance.choice([n for n, d in enumerate(digits) if d.isdigit()])
        digits[at] = chance.choice([d for d in "123456789" if d != digits[at]])
        other = float("".join(digits))
    other = -other if value < 0 else other
    percent = "%" if "%" in item.text else ""
    return f"{other:,.{decimals}f}{percent}", other


def misread(sample: Sample, chance: random.Random) -> Sample | None:
    place = chance.randrange(len(sample.evidence))
    text, value = another_number(sample, place, chance)
    return answered(with_item(sample, place, text=text, value=value))


def row(sample: Sample, chance: random.Random) -> Sample | None:
    place = chance.randrange(len(sample.evidence))
    labels = sample.evidence[place].labels
    rows = re.findall(r"^\W*([^\d|\n]{3,60}?)\s*[|:\t]", sample.context, re.MULTILINE) or [
        "Total",
        "Other",
        "Other items",
    ]
    rows = [name.strip() for name in rows if name.strip() and name.strip() not in labels]
    if not labels or not rows:
        return None
    text, value = another_number(sample, place, chance)
    return answered(with_item(sample, place, text=text, value=value, labels=(chance.choice(rows), *labels[1:])))


def year(sample: Sample, chance: random.Random) -> Sample | None:
    place = chance.randrange(len(sample.evidence))
    labels = sample.evidence[place].labels
    if len(labels) < 2 or not _YEAR.search(labels[1]):
        return None
    text, value = another_number(sample, place, chance)
    step = chance.choice([-1, 1, -2, 2])
    moved = _YEAR.sub(lambda match: str(int(match.group()) + step), labels[1])
    return answered(with_item(sample, place, text=text, value=value, labels=(labels[0], moved)))


def exchanged(sample: Sample, chance: random.Random) -> Sample | None:
    if len(sample.evidence) < 2:
        return None
    one, other = chance.sample(range(len(sample.evidence)), 2)
    first, second = sample.evidence[one], sample.evidence[other]
    swapped = with_item(sample, one, text=second.text, value=second.value)
    return answered(with_item(swapped, other, text=first.text, value=first.value))


def operation(sample: Sample, chance: random.Random) -> Sample | None:
    program = sample.program or ""
    changed = [
        re.sub(r"\b([a-h]) - ([a-h])\b", r"\2 - \1", program),
        re.sub(r"\b([a-h]) / ([a-h])\b", r"\2 / \1", program),
        re.sub(r"\(([a-h]) - ([a-h])\) / ([a-h])", r"(\1 - \2) / \1", program),
        re.sub(r"\b(mean|sum|median)\(([a-h]), ", r"\1(", program),
        program.replace("max(", "min(") if "min(" not in program else program,
        re.sub(r"\b([a-h]) \+ ([a-h])\b", r"\1 - \2", program),
    ]
    changed = [other for other in changed if other != program]
    return answered(sample.model_copy(update={"program": chance.choice(changed)})) if changed else None


CARRIED: dict[str, Callable[[Sample, random.Random], Sample | None]] = {
    "misread": misread,
    "row": row,
    "year": year,
    "exchanged": exchanged,
    "operation": operation,
}


def written(thinking: str, sample: Sample, letter: str) -> str:
    """Return a completion; the letter that the thinking names is the one that it answers."""
    right = LETTERS[sample.answer.option]
    thinking = re.sub(rf"(option |选项|选)\(?{right}\b", lambda match: match.group()[:-1] + letter, thinking)
    return f"<think>{thinking}</think><answer>{letter}</answer>"


def wrong_rollout(sample: Sample, kind: str, chance: random.Random) -> str | None:
    """Return a completion with a mistake of that kind; None where the sample does not allow it."""
    letter = chance.choice([LETTERS[n] for n in range(len(sample.options)) if n != sample.answer.option])
    right = read_tags(solution(sample) or "").think
    if right is None:
        return None
    if kind == "guess":
        return written(right, sample, letter)
    if kind in ("slip", "step"):
        thinking = (another_result if kind == "slip" else dropped_step)(right, sample, chance)
        if thinking is None or reading(sample, thinking, letter) == reading(sample, right, letter):
            return None  # what was wrong was the answer itself, which is hidden
        return written(thinking, sample, letter)
    if not sample.evidence or sample.program is None or any(item.value is None for item in sample.evidence):
        return None
    other = CARRIED[kind](sample, chance)
    thinking = read_tags(solution(other) or "").think if other is not None else None
    return None if thinking is None else written(thinking, sample, letter)


KINDS = (*CARRIED, "slip", "step", "guess")


def rollouts(samples: list[Sample], seed: int) -> list[tuple[RewardContext, str]]:
    """Return completions with '' where right, else the kind of mistake: two right and two wrong ones a question."""
    chance = random.Random(seed)
    found: list[tuple[RewardContext, str]] = []
    for sample in samples:
        right = solution(sample)
        if right is None or len(sample.options) < 2:
            continue
        texts = [(right, ""), (right, "")]
        for kind in chance.sample(KINDS, len(KINDS)):
            text = wrong_rollout(sample, kind, chance) if len(texts) < 4 else None
            if text is not None:
                texts.append((text, kind))
        for text, kind in texts:
            found.append((RewardContext(sample=sample, completion=text, group_id=sample.id), kind))
    return found


def swapped_alike(samples: list[Sample]) -> tuple[int, int]:
    """Return how many worked solutions read the same whichever option their last sentence names, and of how many."""
    alike = count = 0
    for sample in samples:
        thinking = read_tags(solution(sample) or "").think
        if thinking is None or len(sample.options) < 2:
            continue
        at = max(thinking.rfind(". "), thinking.rfind("。", 0, -1)) + 1
        body, ending = thinking[:at], thinking[at:]
        named = sample.answer.text.rstrip(".。")
        right = LETTERS[sample.answer.option]
        masked = set()
        for place, option in enumerate(sample.options):
            said = ending.replace(named, option.rstrip(".。"))
            said = re.sub(rf"(option |选项|选|is |答案为|答案是|\()({right})\b", rf"\g<1>{LETTERS[place]}", said)
            masked.add(mask_answer(body + said, sample, given=LETTERS[place]))
        count += 1
        alike += len(masked) == 1
    return alike, count


def report(name: str, value: float | None, unit: str, n: int) -> None:
    """Print one measurement."""
    shown = None if value is None else round(value, 4)
    print(json.dumps({"what": f"adversarial.{name}", "value": shown, "unit": unit, "n": n}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a run's folder, with samples/")
    parser.add_argument("--kind", default="text", choices=("text", "contrastive"))
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--encoder", default="tiny")
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--no-marks", action="store_true")
    parser.add_argument("--corruptions", type=float, default=0.0)
    parser.add_argument("--every", type=int, default=10, help="batches between two rounds of training")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=None)
    parser.add_argument("--head-lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    samples = list(read_samples(arguments.run / "samples", arguments.kind, "train"))
    random.Random(arguments.seed).shuffle(samples)
    alike, count = swapped_alike(samples)
    report("mask.swapped_alike", alike / max(count, 1), "share", count)
    made = rollouts(samples[: arguments.samples], arguments.seed)
    options = AdversarialOptions(
        encoder=arguments.encoder,
        freeze_encoder=arguments.freeze,
        marks=not arguments.no_marks,
        corruptions=arguments.corruptions,
        every=arguments.every,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        lr=arguments.lr,
        head_lr=arguments.head_lr,
        held_out=0.25,
        held_out_size=4096,
    )
    reward = Adversarial(options)
    _ = reward.learner
    learned = [pair for pair in made if not is_held_out(pair[0].sample, options.held_out)]
    held_out = [pair for pair in made if is_held_out(pair[0].sample, options.held_out)]
    begun = time.process_time()
    texts = 0
    for start in range(0, len(learned), 32):
        batch = learned[start : start + 32]
        labels = [Score(value=0.0 if kind else 1.0) for _, kind in batch]
        metrics = reward.observe([context for context, _ in batch], {"accuracy": labels})
        texts += int(metrics.get("batches", 0)) * options.batch_size
    spent = time.process_time() - begun
    begun = time.process_time()
    said = [score.value for score in reward.score([context for context, _ in held_out])]
    scoring = time.process_time() - begun
    if any(value is None for value in said):
        raise SystemExit("it was never trained: give more --samples or a smaller --every")
    values = [float(value or 0) for value in said]
    kinds = [kind for _, kind in held_out]
    labels = [int(not kind) for kind in kinds]
    report("rollouts", len(learned), "texts", len(learned))
    report("auc", auc(values, labels), "AUC", len(values))
    sound = [place for place, kind in enumerate(kinds) if kind != "guess"]
    report("auc.without_guess", auc([values[p] for p in sound], [labels[p] for p in sound]), "AUC", len(sound))
    for kind in KINDS:
        picked = [place for place, one in enumerate(kinds) if one in ("", kind)]
        count = sum(kinds[place] == kind for place in picked)
        report(f"auc.{kind}", auc([values[p] for p in picked], [labels[p] for p in picked]), "AUC", count)
    report("ece", calibration_error(values, labels), "probability", len(values))
    report("brier", brier(values, labels), "probability^2", len(values))
    report("rounds", float(reward.learner.rounds), "rounds", reward.learner.rounds)
    report("training.texts_a_second", texts / max(spent, 1e-9), "texts/s", texts)
    report("scoring.texts_a_second", len(values) / max(scoring, 1e-9), "texts/s", len(values))


if __name__ == "__main__":
    main()
