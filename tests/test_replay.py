"""Rollouts are kept whole, go on after a kill, and can be scored again under other rewards."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tomli_w
from finlmm_rewards.accuracy import Accuracy
from finlmm_rewards.format import Format
from finlmm_rewards.image_selection import ImageSelection
from finlmm_rewards.thinking_length import ThinkingLength
from typer.testing import CliRunner

from finlmm_core import FinlmmError, RewardContext, Sample
from finlmm_core.cli.app import app
from finlmm_core.plugins.manager import Plugins
from finlmm_core.rewards import RewardServices, RewardSet, replay
from finlmm_core.rewards.honest import Case
from finlmm_core.rewards.probe_samples import probe_samples
from finlmm_core.rewards.replay import replay_stage
from finlmm_core.rewards.rollouts import RolloutWriter, context_of, read_rollouts, reward_names

SAMPLES = probe_samples(contrastive=True)[::7]
GROUP = 5
SERVICES = RewardServices(plugins=Plugins.isolated())


def group(sample: Sample, step: int) -> list[RewardContext]:
    case = Case.of(sample, 500)
    texts = [case.write(case.right), case.write(), case.write(image="2"), "", case.write(thinking="short")]
    return [
        RewardContext(
            sample=sample,
            completion=text,
            group_id=f"{step}/{sample.id}",
            stage="stage2",
            step=step,
            token_ids=(1, 2, 3),
        )
        for text in texts
    ]


def fill(folder: Path, steps: range, done: int = 0, part: int = 2) -> RolloutWriter:
    rewards = RewardSet([Format(), Accuracy(), ImageSelection()], [0.1, 0.6, 0.15])
    writer = RolloutWriter(folder, done)
    for step in steps:
        batch = [context for sample in SAMPLES[step % 3 :: 3] for context in group(sample, step)]
        scored = rewards.score(batch)
        totals = [total or 0.0 for total in scored.totals]
        means = [sum(totals[at : at + GROUP]) / GROUP for at in range(0, len(totals), GROUP) for _ in range(GROUP)]
        writer.write(step, batch, scored, [total - mean for total, mean in zip(totals, means, strict=True)])
        if step % part == part - 1:
            writer.flush()
    writer.flush()
    return writer


def test_rollouts_come_back_as_they_were_scored(tmp_path: Path) -> None:
    fill(tmp_path, range(4))
    table = read_rollouts(tmp_path)
    assert reward_names(table) == ["format", "accuracy", "image_selection"]
    assert table["step"].to_pylist() == sorted(table["step"].to_pylist())
    row = table.to_pylist()[0]
    sample = next(one for one in SAMPLES if one.id == row["sample_id"])
    assert context_of(row, sample) == group(sample, 0)[0]
    assert row["value:accuracy"] == 1.0 and dict(row["parts:image_selection"])["chance"] == 0.25
    assert row["advantage"] == pytest.approx(row["total"] - sum(table["total"].to_pylist()[:GROUP]) / GROUP)


def test_a_resumed_run_has_the_rollouts_of_one_that_was_never_stopped(tmp_path: Path) -> None:
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    fill(straight, range(7))
    fill(resumed, range(5), part=3)  # the last checkpoint was at step 4; a part holds steps 3 and 4
    (resumed / ".writing-abc").write_bytes(b"torn")
    fill(resumed, range(4, 7), done=4)
    assert read_rollouts(resumed).to_pylist() == read_rollouts(straight).to_pylist()
    assert not list(resumed.glob(".writing-*"))


def test_rows_that_were_not_flushed_are_no_part_and_every_part_is_whole(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path)
    batch = group(SAMPLES[0], 0)
    scored = RewardSet([Format()], [1.0]).score(batch)
    writer.write(0, batch, scored)
    with pytest.raises(FinlmmError, match="no rollouts"):
        read_rollouts(tmp_path)
    writer.flush()
    writer.write(0, batch, scored)  # another batch of the same step, after a flush in the middle of it
    writer.flush()
    assert [pq.read_table(path).num_rows for path in sorted(tmp_path.glob("*.parquet"))] == [5, 5]


def test_a_completion_that_is_no_unicode_is_kept_all_the_same(tmp_path: Path) -> None:
    batch = [context.model_copy(update={"completion": "a\ud800b"}) for context in group(SAMPLES[0], 0)[:1]]
    writer = RolloutWriter(tmp_path)
    writer.write(0, batch, RewardSet([Format()], [1.0]).score(batch))
    writer.flush()
    assert read_rollouts(tmp_path)["completion"].to_pylist() == ["a?b"]


def test_images_that_a_curriculum_left_out_are_left_out_again(tmp_path: Path) -> None:
    whole = next(sample for sample in SAMPLES if sample.gold_images == (2,))
    shown = whole.model_copy(update={"images": whole.images[1:3], "gold_images": (1,), "tiers": whole.tiers[1:3]})
    batch = group(shown, 0)
    writer = RolloutWriter(tmp_path)
    writer.write(0, batch, RewardSet([ImageSelection()], [1.0]).score(batch))
    writer.flush()
    row = read_rollouts(tmp_path).to_pylist()[0]
    assert context_of(row, whole).sample == shown
    with pytest.raises(FinlmmError, match="has no image"):
        context_of(row, whole.model_copy(update={"images": whole.images[:1]}))


def test_the_same_rewards_change_nothing(tmp_path: Path) -> None:
    fill(tmp_path, range(6))
    samples = {sample.id: sample for sample in SAMPLES}
    same = replay_stage(tmp_path, samples, [Format(), Accuracy(), ImageSelection()], [0.1, 0.6, 0.15], SERVICES)
    assert same.before == same.after and same.rank_correlation == pytest.approx(1.0)
    assert (same.flips, same.unknown_samples) == (0.0, 0)
    assert same.means_before == pytest.approx(same.means_after)


def test_other_weights_flip_advantages_and_show_the_completions_that_changed_most(tmp_path: Path) -> None:
    fill(tmp_path, range(6))
    samples = {sample.id: sample for sample in SAMPLES}
    other = replay_stage(tmp_path, samples, [Format(), ThinkingLength()], [0.1, 0.9], SERVICES, show=3)
    assert other.rank_correlation is not None and other.rank_correlation < 0.9
    assert other.flips > 0 and set(other.means_after) == {"total", "format", "thinking_length"}
    assert len(other.most_changed) == 3
    gaps = [abs(change.after - change.before) for change in other.most_changed]
    assert gaps == sorted(gaps, reverse=True) and gaps[0] > 0.3
    json.dumps(other.summary())


def test_completions_of_unknown_samples_are_counted_and_all_unknown_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path, range(3))
    some = {sample.id: sample for sample in SAMPLES[:2]}
    partly = replay_stage(tmp_path, some, [Format()], [1.0], SERVICES)
    assert partly.unknown_samples + partly.completions == read_rollouts(tmp_path).num_rows
    with pytest.raises(FinlmmError, match="has a known sample"):
        replay_stage(tmp_path, {}, [Format()], [1.0], SERVICES)


class _Learner(Format):
    """A reward that learns: what it says now is not what it said then."""

    name = "test/learner"
    learns = True


def test_values_of_rewards_that_learn_are_kept_where_the_run_has_them(tmp_path: Path) -> None:
    batch = group(SAMPLES[0], 0)
    writer = RolloutWriter(tmp_path)
    writer.write(0, batch, RewardSet([_Learner(), Accuracy()], [0.5, 0.5]).score(batch))
    writer.flush()
    samples = {SAMPLES[0].id: SAMPLES[0]}
    kept = replay_stage(tmp_path, samples, [_Learner(), Accuracy()], [0.5, 0.5], SERVICES)
    assert kept.kept == ["test/learner"] and kept.before == kept.after
    fill(tmp_path / "other", range(1))
    known = {sample.id: sample for sample in SAMPLES}
    without = replay_stage(tmp_path / "other", known, [_Learner(), Accuracy()], [0.5, 0.5], SERVICES)
    assert without.left_out == ["test/learner"] and set(without.after) <= {0.0, 1.0}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a trained run, as far as replay reads it."""
    folder = tmp_path / "run"
    fill(folder / "train" / "stage2" / "rollouts", range(4))
    rewards = [{"name": "format", "weight": 0.1}, {"name": "accuracy", "weight": 0.9}]
    stage = {"name": "stage2", "method": "grpo", "samples": "contrastive", "rewards": rewards}
    config = {"train": {"model": {"name": "qwen-vl", "options": {"path": "nowhere"}}, "stages": [stage]}}
    (folder / "train" / "config.resolved.toml").write_text(tomli_w.dumps(config), encoding="utf-8")
    monkeypatch.setattr(replay, "read_samples", lambda *_: iter(SAMPLES))
    return folder


def test_replay_from_the_command_line_tells_and_draws_what_would_have_changed(run: Path, tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    arguments = ["rewards", "replay", str(run), "--preset", "tar", "--plot", str(plot)]
    told = CliRunner().invoke(app, arguments, obj=Plugins.load())
    assert told.exit_code == 0, told.output
    assert "Rank correlation" in told.output and "Left out, because they learn" in told.output
    drawn = plot.read_bytes()
    assert drawn.startswith(b"<?xml") and b"rank correlation" in drawn
    again = CliRunner().invoke(app, [*arguments, "--json"], obj=Plugins.load())
    (outcome,) = json.loads(again.output)
    assert outcome["completions"] == read_rollouts(run / "train/stage2/rollouts").num_rows
    assert plot.read_bytes() == drawn


def test_replay_tells_what_is_missing(run: Path, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["rewards", "replay", *arguments], obj=Plugins.load())
        assert isinstance(result.exception, FinlmmError)
        return str(result.exception)

    assert "has no rollouts" in refused(str(tmp_path / "empty"))
    assert "no rollouts of this stage" in refused(str(run), "--stage", "stage1")
    assert "Did you mean 'tar'" in refused(str(run), "--preset", "tarr")
    assert "no [train] table" in refused(str(run), "--preset", "asp")
