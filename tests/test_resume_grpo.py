"""A stage that was killed goes on as if it never had been: weights, rewards that learn, metrics, rollouts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import grpo_runs
import pytest

from finlmm_core.errors import FinlmmError
from finlmm_core.rewards.rollouts import read_rollouts
from finlmm_core.testing import tiny_model
from finlmm_core.train.checkpoints import (
    MARK_FILE,
    checkpoints_in,
    latest_whole,
    load_states,
    mark_whole,
    rotate,
    save_states,
    states_digest,
)

STEPS, SAVED, DIES = 5, 2, 3
KINDS = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl", "internvl")
LORA = {"lora": {"rank": 4}}


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def farthest(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Return the largest difference of two models' weights."""
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def logged(folder: Path) -> list[dict[str, float]]:
    """Return the metrics of each step but those that measure time."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {name: value for name, value in line.items() if not name.endswith(("seconds", "_time"))}
        for line in lines
        if "train_runtime" not in line
    ]


def goes_on_as_if_never_killed(tmp: Path, kind: str, options: dict[str, Any], **more: Any) -> Path:
    """Train straight, and killed and resumed; compare everything that is left. Return the resumed run's folder."""
    more["grpo"] = {"save_steps": SAVED, **more.get("grpo", {})}
    model = tiny_model(kind, tmp / "tiny", init=0.05)
    _, straight = grpo_runs.train(tmp / "straight", grpo_runs.backend(kind, model, **options), STEPS, **more)

    broken = tmp / "broken"
    died = grpo_runs.in_own_process(grpo_runs.train_and_die, broken, kind, model, options, STEPS, DIES, **more)
    assert died == -9
    assert not (broken / "model").exists()
    result, resumed = grpo_runs.train(broken, grpo_runs.backend(kind, model, **options), STEPS, **more)
    assert result.resumed_from == SAVED

    trained = weights(tmp / "straight" / "model")
    assert farthest(weights(model), trained) > 1e-3, "nothing was learned, so nothing is shown"
    assert farthest(weights(broken / "model"), trained) <= 1e-6
    ours, theirs = resumed.state_dict()["taste"], straight.state_dict()["taste"]
    assert float((ours["weights"] - theirs["weights"]).abs().max()) <= 1e-6
    assert (ours["draw"] == theirs["draw"]).all()
    assert ours["seen"] == theirs["seen"]
    mine, never_killed = logged(broken), logged(tmp / "straight")
    assert [line["step"] for line in mine] == list(range(1, STEPS + 1))
    for one, other in zip(mine, never_killed, strict=True):
        assert one == pytest.approx(other, abs=1e-6, nan_ok=True)
    drawn, wanted = read_rollouts(broken / "rollouts"), read_rollouts(tmp / "straight" / "rollouts")
    assert drawn.select(["step", "group_id", "completion", "token_ids"]).equals(
        wanted.select(["step", "group_id", "completion", "token_ids"])
    )
    assert drawn["total"].to_pylist() == pytest.approx(wanted["total"].to_pylist(), abs=1e-6)
    assert drawn["advantage"].to_pylist() == pytest.approx(wanted["advantage"].to_pylist(), abs=1e-3)
    return broken


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return goes_on_as_if_never_killed(tmp_path_factory.mktemp("resumed"), "qwen2.5-vl", {})


def test_a_stage_killed_in_the_middle_goes_on_as_if_it_never_had_been(resumed: Path) -> None:
    last = checkpoints_in(resumed / "checkpoints")[0]
    assert last.name == f"checkpoint-{STEPS}"
    assert load_states(last)["taste"]["seen"] == STEPS * 4


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, LORA], ids=["all weights", "lora"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_family_goes_on_as_if_it_never_had_been_killed(tmp_path: Path, kind: str, options: dict) -> None:
    goes_on_as_if_never_killed(tmp_path, kind, options)


@pytest.mark.slow
def test_a_stage_with_rounds_of_several_steps_resumes_at_the_end_of_one(tmp_path: Path) -> None:
    """Two iterations over rounds of two micro-batches, some without images, a log every second step."""
    grpo = {
        "per_device_train_batch_size": 2,
        "steps_per_generation": 2,
        "gradient_accumulation_steps": 2,
        "num_iterations": 2,
        "logging_steps": 1,
        "save_steps": 1,
    }
    folder = tmp_path / "out"
    model = tiny_model("qwen2.5-vl", tmp_path / "tiny", init=0.05)
    straight = tmp_path / "straight"
    more: dict[str, Any] = {"grpo": grpo, "images": (0, 2), "prompts_a_step": 1}
    grpo_runs.train(straight, grpo_runs.backend("qwen2.5-vl", model), 6, **more)
    args = (folder, "qwen2.5-vl", model, {}, 6, 4)  # after a step in the middle of a round
    assert grpo_runs.in_own_process(grpo_runs.train_and_die, *args, **more) == -9
    result, _ = grpo_runs.train(folder, grpo_runs.backend("qwen2.5-vl", model), 6, **more)
    assert result.resumed_from == 2
    assert farthest(weights(folder / "model"), weights(straight / "model")) <= 1e-6


def test_a_torn_checkpoint_is_passed_over_for_the_one_before_it(resumed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(resumed / "checkpoints", folder)
    whole = [path.name for path in checkpoints_in(folder)]
    assert whole[:2] == ["checkpoint-5", "checkpoint-4"]

    weights_file = folder / "checkpoint-5" / "model.safetensors"
    data = bytearray(weights_file.read_bytes())
    data[-1] ^= 1
    weights_file.write_bytes(data)
    lines: list[str] = []
    assert latest_whole(folder, lines.append) == folder / "checkpoint-4"
    assert lines == ["checkpoint-5 is torn (model.safetensors is not what was written); the one before it is used."]

    (folder / "checkpoint-4" / "optimizer.pt").write_bytes(b"")
    assert latest_whole(folder) == folder / "checkpoint-2"
    (folder / "checkpoint-2" / MARK_FILE).unlink()
    lines.clear()
    assert latest_whole(folder, lines.append) is None
    assert "checkpoint-2 is torn (it was not finished)" in lines[-1]


def test_a_checkpoint_is_not_deleted_before_a_later_one_is_whole(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "weights").write_bytes(b"x")
    mark_whole(tmp_path / "checkpoint-2")
    rotate(tmp_path, keep=1)  # 4 and 6 have no mark: they count for nothing yet
    assert latest_whole(tmp_path) == tmp_path / "checkpoint-2"
    mark_whole(tmp_path / "checkpoint-6")
    rotate(tmp_path, keep=1)
    assert [path.name for path in checkpoints_in(tmp_path)] == ["checkpoint-6"]


def test_states_of_rewards_are_kept_to_the_bit(tmp_path: Path) -> None:
    import torch

    shared = torch.arange(6.0).reshape(2, 3)
    state = {
        "one": {
            "weights": shared,
            "turned": shared.T,
            "half": shared.half(),
            "buffer": [1, None, "a", {"deep": shared}],
        },
        "two": {},
    }
    save_states(state, tmp_path)
    back = load_states(tmp_path)
    assert torch.equal(back["one"]["turned"], shared.T)
    assert back["one"]["half"].dtype == torch.float16
    assert torch.equal(back["one"]["buffer"][3]["deep"], shared)
    assert back["one"]["buffer"][:3] == [1, None, "a"]
    assert back["two"] == {}
    assert states_digest(back) == states_digest(state)
    shared[0, 0] = 1e-7
    assert states_digest(back) != states_digest(state)


def test_a_state_that_cannot_be_kept_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(FinlmmError, match="holds a set at 'taste/seen/0'"):
        save_states({"taste": {"seen": [{1, 2}]}}, tmp_path)
    with pytest.raises(FinlmmError, match="has the key 3 at 'taste'"):
        save_states({"taste": {3: "x"}}, tmp_path)
