"""The grader agrees with graded responses, and tells TAT-QA's right written forms from wrong ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ASKED = {
    "grading.FinMMR": 0.97,
    "grading.FinMMR.extracted": 0.99,
    "grading.FinanceBench": 0.90,
    "grading.tatqa.accepted": 1.0,
    "grading.tatqa.refused": 1.0,
    "grading.gold": 1.0,
}


def test_the_benchmark_reaches_what_is_asked(shared_data: Path) -> None:
    script = Path(__file__).parents[1] / "benchmarks" / "grading.py"
    command = [sys.executable, str(script), "--data", str(shared_data / "numeric_qa")]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    measured = {line["what"]: line for line in map(json.loads, lines)}
    for what, least in ASKED.items():
        assert measured[what]["value"] >= least, measured[what]
        assert measured[what]["n"] > 100
