"""What a training shows while it runs and when it ends: on a terminal, in a log, as JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from finlmm_core.train import progress as progress_module
from finlmm_core.train.events import TrainEvents
from finlmm_core.train.progress import LiveProgress, PlainProgress, TrainProgress, make_train_progress, trend
from finlmm_core.train.summary import TrainSummary, print_train_summary, summarise_stage

HELD_OUT = {
    "n": 40.0, "accuracy": 0.25, "accuracy_low": 0.15, "accuracy_high": 0.35, "image_selection": 0.5, "format": 1.0,
}  # fmt: skip


def act(events: TrainEvents, wait: Callable[[], None] = lambda: None) -> None:
    """What a short training tells."""
    events.evaluated("", {**HELD_OUT, "accuracy": 0.0, "accuracy_low": 0.0, "accuracy_high": 0.0})
    events.stage_began("stage2", "grpo", 30, 10)
    for step in (11, 20, 30):
        wait()
        metrics = {"reward": step / 100, "rewards/accuracy/mean": 0.5, "rewards/total/mean": step / 100}
        events.logged(step, {**metrics, "kl": 0.001, "adversarial/auc": 0.7, "num_tokens": 5e6, "grad_norm": 1.0})
    events.stage_ended("stage2", 12.34)
    events.evaluated("stage2", HELD_OUT)


def test_a_log_gets_lines_with_rewards_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    out = io.StringIO()

    def wait() -> None:
        now[0] += 30.0

    act(PlainProgress(out), wait)
    assert out.getvalue().splitlines() == [
        "held-out before training (40 samples): accuracy 0.00 (0.00-0.00), image selection 0.50, format 1.00",
        "stage2 (grpo): 30 steps, goes on from step 10",
        "stage2: 11/30, about 570 s left, total reward 0.110, accuracy 0.500, adversarial auc 0.700, KL 0.001",
        "stage2: 20/30, about 60 s left, total reward 0.200, accuracy 0.500, adversarial auc 0.700, KL 0.001",
        "stage2: done, 12.3 s",
        "held-out after stage2 (40 samples): accuracy 0.25 (0.15-0.35), image selection 0.50, format 1.00",
    ]


def test_a_log_is_not_flooded(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    plain = PlainProgress(out)
    plain.stage_began("one", "sft", 1000, 0)
    for step in range(1, 1001):
        now[0] += 0.1
        plain.logged(step, {"loss": 1.0})
    assert 9 <= len(out.getvalue().splitlines()) <= 11  # 100 seconds, a line in ten


def test_a_terminal_shows_the_bar_and_every_reward_live() -> None:
    out = io.StringIO()
    with LiveProgress(Console(file=out, force_terminal=True, width=100)) as live:
        act(live)
        live.live.refresh()
        shown = Console(file=io.StringIO(), width=100)
        shown.print(live.table())
        rows = shown.file.getvalue().splitlines()  # type: ignore[attr-defined]
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert "stage2 (grpo)" in plain
    assert "30/30" in plain
    assert "stage2: goes on from step 10" in plain
    assert "held-out after stage2 (40 samples): accuracy 0.25 (0.15-0.35)" in plain
    assert [row.split("  ")[0].strip() for row in rows[1:]] == ["total reward", "accuracy", "adversarial auc", "KL"]
    assert re.search(r"total reward +0\.300 +0\.110 +▁▄█", rows[1])


def test_names_of_stages_and_rewards_are_no_markup() -> None:
    out = io.StringIO()
    with LiveProgress(Console(file=out, force_terminal=True, width=100)) as live:
        live.stage_began("one", "grpo", 2, 1)
        live.logged(2, {"rewards/acme/[bold]x/mean": 1.0})
        live.live.refresh()
    assert "acme/[bold]x" in out.getvalue()


def test_the_place_decides_and_quiet_is_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    assert isinstance(make_train_progress(quiet=False), PlainProgress)  # a test's stderr is no terminal
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert isinstance(make_train_progress(quiet=False), LiveProgress)
    quiet = make_train_progress(quiet=True)
    assert type(quiet) is TrainProgress
    with quiet:
        act(quiet)
    assert capsys.readouterr() == ("", "")


def test_the_course_of_a_series_is_low_to_high_in_24_blocks_at_most() -> None:
    assert trend([0.0, 1.0]) == "▁█"
    assert trend([2.0, 2.0]) == "▁▁"
    assert trend([float(value) for value in range(1000)])[0] == "▁"
    assert len(trend([float(value) for value in range(1000)])) == 24


@pytest.fixture
def summary(tmp_path: Path) -> TrainSummary:
    folder = tmp_path / "train/stage2"
    folder.mkdir(parents=True)
    lines = [
        {"step": n, "reward": n / 100, "rewards/accuracy/mean": n / 50, "rewards/total/mean": n / 100, "loss": 0.1}
        for n in range(1, 21)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    stage = summarise_stage(
        "stage2", "grpo", folder, steps=20, seconds=61.5, resumed_from=5, held_out=HELD_OUT | {"accuracy": 0.5}
    )
    return TrainSummary(folder=tmp_path / "train", before=HELD_OUT, stages=(stage,), dropped={"prompt_too_long": 3})


def test_the_summary_has_means_of_the_first_and_the_last_tenth(summary: TrainSummary) -> None:
    (stage,) = summary.stages
    assert stage.first == pytest.approx({"reward": 0.015, "rewards/accuracy/mean": 0.03, "loss": 0.1})
    assert stage.last == pytest.approx({"reward": 0.195, "rewards/accuracy/mean": 0.39, "loss": 0.1})
    assert summary.seconds == 61.5
    assert TrainSummary.model_validate_json(summary.model_dump_json()) == summary


def test_the_summary_fits_a_terminal_of_80_columns(summary: TrainSummary) -> None:
    out = io.StringIO()
    print_train_summary(summary, Console(file=out, width=80))
    shown = out.getvalue()
    assert all(len(line) <= 80 for line in shown.splitlines())
    for words in ("before", "stage2", "from 5", "61.5", "0.15-0.35", "0.50", "40 held-out samples", "0.195", "0.390"):
        assert words in shown, words
    assert "3 samples left out: prompt_too_long" in shown
    assert "the trained model:" in shown
