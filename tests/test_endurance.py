"""The endurance benchmark in small: it must run, count every file, and find what it is there to find."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def measured(*arguments: str | Path) -> dict[str, float]:
    command = [sys.executable, str(BENCHMARKS / "endurance.py"), *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    lines = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    return {line["what"]: line["value"] for line in lines}


@pytest.fixture
def mutated(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import mutated_pdfs

    return mutated_pdfs


def test_mutations_are_the_same_each_time_and_all_differ_from_what_was_whole(mutated: ModuleType) -> None:
    from bad_pdfs import report

    cheap = {name: made for name, made in mutated.MUTATIONS.items() if name not in ("bombs", "operators_many")}
    base = report(60)
    for name, made in cheap.items():
        one, other = (made(base, mutated.random.Random(3)) for _ in range(2))
        assert one == other, name
        assert one != base or name == "truncated", name
    names = [name for name, _ in mutated.mutants([base], 3, 0)]
    assert names == ["0000_truncated.pdf", "0001_middle_cut.pdf", "0002_bytes_flipped.pdf"]


@pytest.mark.slow
def test_sixty_mutated_files_and_each_is_accounted_for() -> None:
    found = measured("--only", "mutated", "--count", "60", "--seed", "7", "--document-seconds", "20")
    assert found["endurance.mutated_failures"] == 0
    assert found["endurance.mutated.parsed"] >= 20
    outcomes = {what.removeprefix("endurance.mutated.") for what in found}
    assert "error" not in outcomes, "a parser stumbled over a file instead of telling what is wrong with it"


@pytest.mark.slow
def test_forty_reports_and_no_worker_is_replaced() -> None:
    found = measured("--only", "drift", "--documents", "40", "--pages", "1", "--seed", "2")
    assert found["endurance.replaced"] == 0
    assert found["endurance.drift"] < 0.2  # forty reports are few: models are loaded and caches filled meanwhile
