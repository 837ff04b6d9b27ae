"""GRPO stages on tiny models: what they write, how their options are checked, how they stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpo_runs
import pytest

from finlmm_core.errors import ConfigError, FinlmmError
from finlmm_core.plugins.refs import WeightedPluginRef
from finlmm_core.rewards.rollouts import read_rollouts
from finlmm_core.testing import tiny_model
from finlmm_core.train.checkpoints import checkpoints_in, latest_whole, load_states
from finlmm_core.train.events import Silent
from finlmm_core.train.grpo_failures import TrainingStopped
from finlmm_core.train.grpo_options import aligned_save_steps, grpo_arguments, rounds_of
from finlmm_core.train.parallel import check_engine

KIND = "qwen2.5-vl"


class Heard(Silent):
    """Keeps what a training tells."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.metrics: list[Mapping[str, float]] = []
        self.lines: list[str] = []
        self.stages: list[Any] = []

    def stage_began(self, name: str, method: str, steps: int, done: int) -> None:
        self.stages.append((name, method, steps, done))

    def logged(self, step: int, metrics: Mapping[str, float]) -> None:
        self.steps.append(step)
        self.metrics.append(metrics)

    def told(self, line: str) -> None:
        self.lines.append(line)

    def stage_ended(self, name: str, seconds: float) -> None:
        self.stages.append(name)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(KIND, tmp_path_factory.mktemp("tiny") / KIND, init=0.05)


class Done:
    """A finished stage of three steps."""

    def __init__(self, tmp: Path, tiny: Path) -> None:
        self.out = tmp / "out"
        self.heard = Heard()
        backend = grpo_runs.backend(KIND, tiny)
        grpo = {"save_steps": 1, "save_total_limit": 2}
        self.result, self.rewards = grpo_runs.train(self.out, backend, 3, grpo, events=self.heard)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Done:
    return Done(tmp_path_factory.mktemp("done"), tiny)


def test_a_stage_ends_in_a_model_that_loads_and_answers(done: Done) -> None:
    assert done.result.model == done.out / "model"
    assert (done.result.steps, done.result.resumed_from) == (3, 0)
    backend = grpo_runs.backend(KIND, done.result.model)
    store = grpo_runs.ImageStore(done.out.parent / "images")
    prompts = [backend.messages(sample, store) for sample in grpo_runs.samples(store, 2)]
    from finlmm_core.domain import Sampling

    assert len(backend.generate(prompts, Sampling(max_new_tokens=3))) == 2


def test_metrics_are_a_line_a_step_with_rewards_and_their_parts(done: Done) -> None:
    lines = [json.loads(line) for line in (done.out / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == [1, 2, 3]
    for name in ("reward", "reward_std", "grad_norm", "entropy", "rewards/letters/mean", "rewards/letters/length"):
        assert name in steps[0]
    assert steps[0]["reward"] == pytest.approx(steps[0]["rewards/total/mean"])
    assert [line["taste/seen"] for line in steps] == [4, 8, 12]
    assert done.heard.steps[:3] == [1, 2, 3]
    assert done.heard.stages == [("stage2", "grpo", 3, 0), "stage2"]


def test_the_total_is_the_weighted_mean_of_the_rewards_that_could_judge(done: Done) -> None:
    for row in read_rollouts(done.out / "rollouts").to_pylist():
        weights = {"letters": 1.0, "taste": 2.0, "pictures": 3.0}
        known = {name: row[f"value:{name}"] for name in weights if row[f"value:{name}"] is not None}
        whole = sum(weights[name] for name in known)
        assert row["total"] == pytest.approx(sum(weights[name] * value for name, value in known.items()) / whole)


def test_rollouts_have_every_completion_and_advantages_that_add_up_to_nothing(done: Done) -> None:
    table = read_rollouts(done.out / "rollouts")
    assert table.num_rows == 3 * 4
    assert sorted(set(table["step"].to_pylist())) == [0, 1, 2]
    groups: dict[str, float] = {}
    for row in table.to_pylist():
        groups[row["group_id"]] = groups.get(row["group_id"], 0.0) + row["advantage"]
    assert len(groups) == 6
    assert all(abs(advantage) < 1e-4 for advantage in groups.values())


def test_checkpoints_are_as_many_as_asked_for_and_hold_the_rewards(done: Done) -> None:
    kept = checkpoints_in(done.out / "checkpoints")
    assert [path.name for path in kept] == ["checkpoint-3", "checkpoint-2"]
    assert load_states(kept[0])["taste"]["seen"] == 12


def test_a_finished_stage_that_is_run_again_trains_nothing(done: Done, tiny: Path) -> None:
    result, _ = grpo_runs.train(done.out, grpo_runs.backend(KIND, tiny), 3, {"save_steps": 1, "save_total_limit": 2})
    assert result.resumed_from == 3
    lines = (done.out / "metrics.jsonl").read_text().splitlines()
    assert sum('"loss"' in line for line in lines) == 3


def test_groups_without_a_signal_are_left_out_of_loss_and_normaliser(tiny: Path, tmp_path: Path) -> None:
    """With half of the groups equal, the gradient is what the other half alone would give."""
    import torch

    from finlmm_core.train import grpo_trainer

    losses: dict[bool, list[Any]] = {True: [], False: []}
    drop = False
    compute = grpo_trainer.StageTrainer._compute_loss

    def watched(self: Any, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        loss = compute(self, model, inputs)
        mask = inputs["completion_mask"]
        losses[drop].append((loss.item(), int(inputs["num_items_in_batch"]), int((mask.sum(1) > 0).sum())))
        return loss

    grpo_trainer.StageTrainer._compute_loss = watched  # type: ignore[method-assign]
    try:
        for loss_type in ("dapo", "grpo"):
            for drop in (False, True):
                grpo_runs.train(
                    tmp_path / f"{loss_type}-{drop}",
                    grpo_runs.backend(KIND, tiny),
                    1,
                    {"loss_type": loss_type, "beta": 0.0, "epsilon_high": 0.3},
                    images=(0, 1),
                    # 'pictures' says None for the text sample: a group without any signal.
                    rewards=("pictures",),
                    curriculum={"drop_equal_groups": drop},
                )
    finally:
        grpo_trainer.StageTrainer._compute_loss = compute  # type: ignore[method-assign]
    (_, all_tokens, all_rows), _ = losses[False]
    (_, tokens, rows), _ = losses[True]
    assert (all_rows, rows) == (4, 2)
    assert tokens < all_tokens
    # On the first step the loss is the mean advantage, weighted by tokens ('dapo') or by completions ('grpo').
    for (whole, whole_tokens, _), (part, part_tokens, _), divided in zip(
        losses[False], losses[True], (all_tokens / tokens, 2.0), strict=True
    ):
        assert part == pytest.approx(whole * divided, abs=1e-6)
        assert whole_tokens > part_tokens


def test_the_share_of_equal_groups_is_logged(done: Done) -> None:
    assert all("equal_groups" in metrics for metrics in done.heard.metrics if "loss" in metrics)


# ------------------------------------------------------------------------------------------------------- options


def problems_of(options: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        grpo_arguments(options, "train.stages[1].grpo")
    return list(raised.value.problems)


def test_mistakes_in_options_come_all_at_once_with_path_near_miss_and_reason() -> None:
    problems = problems_of(
        {"num_generation": 4, "temperature": "warm", "output_dir": "x", "per_device_train_batch_size": 2.5}
    )
    assert len(problems) == 4
    assert problems[0].startswith(
        "train.stages[1].grpo.num_generation: unknown option 'num_generation'. Did you mean 'num_generations'?"
    )
    assert problems[1] == "train.stages[1].grpo.temperature: expected float (given: 'warm')"
    assert problems[2] == (
        "train.stages[1].grpo.output_dir: is not yours to set: a stage's folder is <out>/train/<stage>."
    )
    assert problems[3] == "train.stages[1].grpo.per_device_train_batch_size: expected int (given: 2.5)"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num_generations": 3, "per_device_train_batch_size": 4}, "must be divisible by num_generations"),
        ({"save_steps": 0.5}, "save_steps: expected a whole number of steps"),
        ({"save_strategy": "best"}, "save_strategy: expected 'steps' or 'no'"),
        ({"lr_scheduler_type": "conical"}, "conical"),
        ({"eval_strategy": "steps"}, "set 'train.evaluate'"),
        ({"sync_ref_model": True}, "is not part of a checkpoint"),
        ({"save_total_limit": 0}, "save_total_limit: expected at least 1"),
        ({"report_to": ["clearml"]}, "report_to: 'clearml' is not installed. Install it with: pip install clearml"),
        ({"report_to": "tensorbord"}, "report_to: nothing is named 'tensorbord'. Did you mean 'tensorboard'?"),
        ({"use_vllm": True}, "use_vllm: vllm is not installed"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], told: str) -> None:
    assert told in problems_of(options)[0]


def test_options_of_trl_pass_through_by_their_own_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import integrations

    monkeypatch.setattr(integrations, "get_available_reporting_integrations", lambda: ["tensorboard"])
    arguments = grpo_arguments(
        {"loss_type": "dr_grpo", "beta": 0.04, "vllm_server_host": "10.0.0.1", "report_to": ["tensorboard"]}
    )
    assert (arguments.loss_type, arguments.beta, arguments.vllm_server_host) == ("dr_grpo", 0.04, "10.0.0.1")
    assert arguments.report_to == ["tensorboard"]
    assert arguments.shuffle_dataset is False


@pytest.mark.parametrize(
    ("options", "prompts", "steps", "saved"),
    [
        ({"per_device_train_batch_size": 8, "num_generations": 4}, 2, 1, 5),
        ({"per_device_train_batch_size": 8, "num_generations": 4, "gradient_accumulation_steps": 4}, 8, 1, 5),
        ({"per_device_train_batch_size": 8, "num_generations": 4, "num_iterations": 2}, 2, 2, 6),
        ({"per_device_train_batch_size": 8, "num_generations": 4, "steps_per_generation": 4}, 8, 4, 8),
        (
            {
                "per_device_train_batch_size": 8,
                "num_generations": 4,
                "steps_per_generation": 2,
                "gradient_accumulation_steps": 4,
            },
            8,  # two generations of four prompts each in one optimizer step
            1,
            5,
        ),
    ],
)
def test_checkpoints_fall_on_the_ends_of_generation_rounds(
    options: dict[str, Any], prompts: int, steps: int, saved: int
) -> None:
    arguments = grpo_arguments({**options, "save_steps": 5})
    rounds = rounds_of(arguments)
    assert rounds == (prompts, steps)
    assert aligned_save_steps(arguments) == saved
    assert rounds.steps_for(rounds.prompts_for(10)) >= 10


def test_too_few_prompts_for_a_round_are_told(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(FinlmmError, match="has 2 prompts; a generation round takes 4"):
        grpo_runs.train(tmp_path, grpo_runs.backend(KIND, tiny), 1, {"per_device_train_batch_size": 8})


# ------------------------------------------------------------------------------------------------------ stopping


def stopped(out: Path, tiny: Path, steps: int = 4, **more: Any) -> TrainingStopped:
    with pytest.raises(TrainingStopped) as raised:
        grpo_runs.train(out, grpo_runs.backend(KIND, tiny), steps, {"save_steps": 1, **more.pop("grpo", {})}, **more)
    assert raised.value.exit_code == 1
    return raised.value


def test_a_reward_that_raises_stops_the_run_with_what_happened_and_how_to_go_on(tiny: Path, tmp_path: Path) -> None:
    broken = WeightedPluginRef(name="fails-at", options={"step": 2})
    error = stopped(tmp_path / "out", tiny, rewards=("letters", broken))
    text = str(error)
    assert "the stage 'stage2' stopped after step 2: the reward 'fails-at' raised ValueError: the judge hung up" in text
    assert "sample sample-" in text
    assert "Everything up to step 2 is saved. Go on with: the same command" in text
    assert latest_whole(tmp_path / "out" / "checkpoints") == tmp_path / "out" / "checkpoints" / "checkpoint-2"
    # What was wrong is mended: the run goes on.
    mended = WeightedPluginRef(name="fails-at", options={"step": 99})
    result, _ = grpo_runs.train(
        tmp_path / "out", grpo_runs.backend(KIND, tiny), 4, {"save_steps": 1}, rewards=("letters", mended)
    )
    assert result.resumed_from == 2


@pytest.mark.parametrize("what", ["loss", "gradients"])
def test_numbers_that_are_none_stop_the_run_before_they_reach_the_weights(
    what: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    import trl

    compute = trl.GRPOTrainer._compute_loss

    def blown_up(self: Any, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        loss = compute(self, model, inputs)
        if self.state.global_step < 1:
            return loss
        weight = next(weight for weight in model.parameters() if weight.requires_grad)
        # The root's slope at nought is infinite: the loss is a number, its gradient is none.
        return loss * float("nan") if what == "loss" else loss + (weight - weight).abs().sqrt().sum()

    monkeypatch.setattr(trl.GRPOTrainer, "_compute_loss", blown_up)
    error = stopped(tmp_path / "out", tiny)
    assert f"after step 1: the {what}{chr(39) if what == 'gradients' else ''}" in str(error)
    assert "nan" in str(error)
    assert "Everything up to step 1 is saved" in str(error)


def test_running_out_of_memory_tells_what_to_lower(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    import trl

    def full(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nmore")

    monkeypatch.setattr(trl.GRPOTrainer, "_compute_loss", full)
    error = stopped(tmp_path / "out", tiny)
    assert "out of memory (CUDA out of memory. Tried to allocate 20.00 GiB.)" in str(error)
    assert "per_device_train_batch_size" in str(error)
    assert "Nothing was saved yet" in str(error)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_at_the_next_step_with_a_checkpoint(
    number: signal.Signals, tiny: Path, tmp_path: Path
) -> None:
    class Told(Silent):
        def logged(self, step: int, metrics: Mapping[str, float]) -> None:
            if step == 1:
                os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    error = stopped(tmp_path / "out", tiny, grpo={"save_steps": 100}, events=Told())
    assert f"stopped after step 2: stopped by {number.name}" in str(error)
    assert "Everything up to step 2 is saved" in str(error)
    assert signal.getsignal(number) is before


# ------------------------------------------------------------------------------------------------- two processes

ACCELERATE = Path(__file__).parents[1] / "configs" / "accelerate"


@pytest.mark.parametrize("name", sorted(path.name for path in ACCELERATE.glob("*.yaml")))
def test_configurations_of_accelerate_are_read_by_accelerate(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(ACCELERATE / name))
    assert config.num_processes > 1


def test_an_engine_that_could_not_save_the_model_is_refused() -> None:
    second = SimpleNamespace(state=SimpleNamespace(fsdp_plugin=SimpleNamespace(fsdp_version=2)))
    with pytest.raises(FinlmmError, match="FSDP version 2, expected version 1"):
        check_engine(second)  # type: ignore[arg-type]


def in_two_processes(out: Path, tiny: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Train in two processes that share each group of four completions."""
    options = json.dumps({"per_device_train_batch_size": 2, "num_generations": 4, "save_steps": 2})
    accelerate = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(ACCELERATE / "cpu2.yaml")]
    script = [str(Path(__file__).parent / "grpo_runs.py"), str(out), "--model", str(tiny), "--kind", KIND]
    return subprocess.run(
        [*accelerate, *script, "--prompts-a-step", "1", "--grpo", options, *more],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """The folder of a stage that two processes trained for four steps."""
    out = tmp_path_factory.mktemp("two") / "straight"
    ran = in_two_processes(out, tiny, "--steps", "4")
    assert ran.returncode == 0, ran.stderr[-3000:]
    return out


@pytest.mark.slow
def test_two_processes_hold_the_same_rewards_and_one_of_them_writes(two: Path) -> None:
    """Groups lie across the processes; the digest of the rewards' states is compared at every checkpoint."""
    out = two
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4]
    assert [line["taste/seen"] for line in lines if "loss" in line] == [4, 8, 12, 16]
    table = read_rollouts(out / "rollouts").to_pylist()
    assert len(table) == 16
    assert len({row["group_id"] for row in table}) == 4
    last = checkpoints_in(out / "checkpoints")[0]
    assert latest_whole(out / "checkpoints") == last
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in last.iterdir()}
    assert (out / "model" / "config.json").is_file()


@pytest.mark.slow
def test_two_processes_go_on_as_if_one_of_them_had_never_been_killed(two: Path, tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    straight, broken = two, tmp_path / "broken"
    died = in_two_processes(broken, tiny, "--steps", "4", "--die-at", "3")
    assert died.returncode != 0
    assert checkpoints_in(broken / "checkpoints")[0].name == "checkpoint-2"
    resumed = in_two_processes(broken, tiny, "--steps", "4")
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (broken, straight))
    assert max(float((ours[name] - theirs[name]).abs().max()) for name in theirs) <= 1e-6
    mine, other = (load_states(folder / "checkpoints" / "checkpoint-4")["taste"] for folder in (broken, straight))
    assert float((mine["weights"] - other["weights"]).abs().max()) <= 1e-6


@pytest.mark.slow
def test_a_reward_that_raises_in_two_processes_ends_both(tiny: Path, tmp_path: Path) -> None:
    ran = in_two_processes(tmp_path / "out", tiny, "--steps", "3", "--rewards", "letters", "fails-at")
    assert ran.returncode != 0
    assert ran.stderr.count("TrainingStopped: the stage 'stage2' stopped after step 0") == 2
    assert "'fails-at' raised ValueError: the judge hung up" in ran.stderr
