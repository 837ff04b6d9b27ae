"""What is wrong with samples is found before weights are loaded; what a stage reads is what it asked for."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image
from solution_samples import all_shapes
from train_runs import config, grpo, make_dataset, message, train, warm_up

from finlmm_core import ModelBackend
from finlmm_core.config import load_config
from finlmm_core.domain import ImageRef, Sample
from finlmm_core.errors import ConfigError, FinlmmError
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.steps.sampling.parquet import shards
from finlmm_core.store.images import ImageStore
from finlmm_core.testing import tiny_model
from finlmm_core.train.checks import REASONS, BadSamplesError, find_bad, sound_samples
from finlmm_core.train.checks_length import PromptLengths
from finlmm_core.train.config import CurriculumConfig, StageConfig, TrainConfig
from finlmm_core.train.data import check_stages, read_stage
from finlmm_core.train.shown import shown_prompts
from finlmm_core.train.stages_plan import check_options

BACKENDS = {"qwen2-vl": "qwen-vl", "qwen2.5-vl": "qwen-vl", "qwen3-vl": "qwen-vl", "internvl": "internvl"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("dataset") / "samples")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def backend(models: Path, kind: str = "qwen2.5-vl", **options: object) -> ModelBackend:
    folder = models / kind
    if not folder.exists():
        tiny_model(kind, folder)
    name = BACKENDS.get(kind, kind)
    made = Plugins.load().create("model", PluginRef(name=name, options={"path": str(folder), **options}))
    assert isinstance(made, ModelBackend)
    return made


def stage(**values: object) -> StageConfig:
    return StageConfig.model_validate({"name": "s", "method": "sft", "samples": "contrastive", **values})


@pytest.fixture(scope="module")
def good(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Sample], ImageStore]:
    data = read_stage(dataset, stage(limit=8), kept_images=tmp_path_factory.mktemp("images"))
    assert data.images is not None
    return data.samples, data.images


def reasons(
    samples: Sequence[Sample], table: StageConfig, model: ModelBackend, images: ImageStore | None
) -> dict[str, str]:
    """Return sample id -> reason."""
    return {item.item_id: item.reason for item in find_bad(samples, table, model, images)}


# ------------------------------------------------------------------------------------------------- what is read


def test_a_dataset_folder_alone_is_enough(dataset: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(dataset, tmp_path / "copied")
    data = read_stage(alone, stage(limit=3), kept_images=tmp_path / "kept")
    assert data.images is not None and data.images.root == tmp_path / "kept"
    assert [data.images.open(ref).size for one in data.samples for ref in one.images] == [(420, 160)] * 12


def test_images_of_the_run_are_used_where_they_are(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(dataset, run / "samples")
    first = read_stage(run / "samples", stage(limit=3), kept_images=tmp_path / "kept")
    shutil.copytree(tmp_path / "kept", run / "images")
    again = read_stage(run / "samples", stage(limit=3), kept_images=tmp_path / "other")
    assert again.samples == first.samples
    assert again.images is not None and again.images.root == run / "images"
    assert not (tmp_path / "other").exists()


def test_filters_come_before_the_limit(dataset: Path, tmp_path: Path) -> None:
    table = stage(types=["statistics_reasoning"], limit=5, samples="text")
    data = read_stage(dataset, table, kept_images=tmp_path)
    assert [one.type.value for one in data.samples] == ["statistics_reasoning"] * 5
    assert data.images is None
    assert len(read_stage(dataset, stage(samples="text"), split="validation", kept_images=tmp_path).samples) == 36


def test_nothing_left_is_told(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(
        FinlmmError, match=r"has 216 of kind 'text' in the split 'train', none with languages = \['zh'\]"
    ):
        read_stage(dataset, stage(samples="text", languages=["zh"]), kept_images=tmp_path)
    with pytest.raises(FinlmmError, match="is not a folder of samples"):
        read_stage(tmp_path, stage(), kept_images=tmp_path)


def test_a_torn_file_is_told(dataset: Path, tmp_path: Path) -> None:
    torn = shutil.copytree(dataset, tmp_path / "torn")
    path = shards(torn, "text", "train")[0]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FinlmmError, match="cannot be read"):
        read_stage(torn, stage(samples="text"), kept_images=tmp_path)


def test_all_mistakes_in_a_stage_s_words_are_told_at_once() -> None:
    curriculum = {"tiers": [[5, ["nearst"]], [5, ["random"]]], "distractors": [[3, 1], [0, 2]]}
    with pytest.raises(ConfigError) as caught:
        check_stages([stage(types=["arithmetic"], languages=["de"], curriculum=curriculum)])
    told = "\n".join(caught.value.problems)
    assert "train.stages[0].types: unknown 'arithmetic'. Did you mean 'arithmetic_reasoning'?" in told
    assert "train.stages[0].languages: unknown 'de'" in told
    assert "train.stages[0].curriculum.tiers[0]: unknown 'nearst'. Did you mean 'nearest'?" in told
    assert "train.stages[0].curriculum.tiers: expected steps in rising order, each once (given: [5, 5])" in told
    assert "train.stages[0].curriculum.distractors: expected steps in rising order" in told
    with pytest.raises(ConfigError, match="text samples have no distractors"):
        check_stages([stage(samples="text", curriculum={"distractors": [[0, 1]]})])


# ------------------------------------------------------------------------------------------------ what is wrong


def test_good_samples_pass(good: tuple[list[Sample], ImageStore], models: Path) -> None:
    assert find_bad(good[0], stage(), backend(models), good[1]) == []


def test_every_kind_of_bad_sample_is_found_with_its_reason(
    good: tuple[list[Sample], ImageStore], models: Path, tmp_path: Path
) -> None:
    samples, images = good
    store = ImageStore(tmp_path / "images")
    for ref in {ref for one in samples for ref in one.images}:
        store.put_bytes(images.read_bytes(ref), ref.width, ref.height, ref.format)
    base = samples[0]
    first = base.images[0]
    garbage = store.put_bytes(b"no image at all", 420, 160, "png")
    cut = store.put_bytes(images.read_bytes(first)[:-200], first.width, first.height, "png")
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10)).save(buffer, "PNG")
    small = store.put_bytes(buffer.getvalue(), 420, 160, "png")
    missing = ImageRef(sha256="f" * 64, width=420, height=160)

    def with_image(ref: ImageRef) -> dict[str, object]:
        return {"images": (ref, *base.images[1:])}

    wrong: dict[str, dict[str, object]] = {
        "gold_answer": {"answer": base.answer.model_copy(update={"option": 9})},
        "image_missing": with_image(missing),
        "image_unreadable": with_image(garbage),
        "image_unreadable#": with_image(cut),
        "image_size": with_image(small),
        "no_right_image": {"gold_images": ()},
        "no_right_image#": {"images": (), "tiers": (), "gold_images": ()},
        "right_image_out_of_range": {"gold_images": (4,)},
        "images_and_tiers": {"tiers": base.tiers[:2]},
        "prompt_too_long": {"question": "why? " * 900},
        "no_solution": {"program": "a + b"},
    }
    bad = [base.model_copy(update={"id": name, **change}) for name, change in wrong.items()]
    found = reasons([*bad, *samples[1:]], stage(max_prompt_tokens=1500), backend(models), store)
    assert found == {name: name.rstrip("#") for name in wrong}


def test_a_gold_answer_that_its_own_grader_refuses_is_found(
    good: tuple[list[Sample], ImageStore], models: Path
) -> None:
    one = good[0][0]
    twice = one.model_copy(update={"options": (one.answer.text,) * 4})
    assert reasons([twice], stage(), backend(models), good[1]) == {twice.id: "gold_answer"}


def test_what_does_not_fit_the_stage_is_found(good: tuple[list[Sample], ImageStore], models: Path) -> None:
    one = good[0][0]
    assert reasons([one], stage(samples="text"), backend(models), good[1]) == {one.id: "images_in_text_sample"}
    assert reasons([one], stage(), backend(models, "causal-lm"), good[1]) == {one.id: "model_sees_no_images"}
    # A stage of method grpo needs no worked solution.
    unsolved = one.model_copy(update={"program": None, "evidence": ()})
    table = StageConfig.model_validate(grpo("s"))
    assert reasons([unsolved], table, backend(models), good[1]) == {}
    assert reasons([unsolved], stage(), backend(models), good[1]) == {one.id: "no_solution"}


def test_the_refusal_counts_and_shows_examples(good: tuple[list[Sample], ImageStore], models: Path) -> None:
    bad = [one.model_copy(update={"gold_images": ()}) for one in good[0][:5]] + [
        good[0][5].model_copy(update={"program": "a * b"})
    ]
    samples = [*bad, *good[0][6:]]
    rejected = find_bad(samples, stage(), backend(models), good[1])
    with pytest.raises(BadSamplesError) as caught:
        sound_samples(samples, rejected, "s", drop_bad=False)
    told = str(caught.value)
    assert "6 of the 8 samples of the stage 's' cannot be trained on" in told
    assert "5 no_right_image: none of the images is marked as the right one" in told
    assert "1 no_solution" in told
    assert sum(one.id in told for one in bad[:5]) == 3  # examples, not all
    assert "--drop-bad" in told
    assert [one.id for one in sound_samples(samples, rejected, "s", drop_bad=True)] == [one.id for one in good[0][6:]]
    with pytest.raises(FinlmmError, match="nothing is left"):
        sound_samples(bad, find_bad(bad, stage(), backend(models), good[1]), "s", drop_bad=True)


# --------------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize("kind", [*BACKENDS, "causal-lm"])
def test_prompt_tokens_are_what_the_processor_makes(
    kind: str, good: tuple[list[Sample], ImageStore], models: Path, tmp_path: Path
) -> None:
    model = backend(models, kind)
    store = ImageStore(tmp_path)
    refs = [store.put(Image.new("RGB", size)) for size in ((30, 30), (420, 160), (100, 700), (1500, 40))]
    samples = [
        good[0][0].model_copy(update={"images": tuple(refs[:count]) if model.sees_images else ()})
        for count in (1, 3, 4)
    ]
    counted = list(PromptLengths(model).count(samples))
    processor = model.processor()
    for one, tokens in zip(samples, counted, strict=True):
        made = processor.apply_chat_template(
            [model.messages(one, store)], tokenize=True, add_generation_prompt=True, return_dict=True
        )
        assert len(made["input_ids"][0]) == tokens


def test_limits_of_pixels_count(good: tuple[list[Sample], ImageStore], models: Path) -> None:
    small = next(iter(PromptLengths(backend(models, max_pixels=28 * 28)).count(good[0][:1])))
    large = next(iter(PromptLengths(backend(models, max_pixels=280 * 280)).count(good[0][:1])))
    assert large > small + 100


# --------------------------------------------------------------------------------------------- the command line


def test_the_command_refuses_all_stages_bad_samples_before_loading_weights(
    dataset: Path, models: Path, tmp_path: Path
) -> None:
    backend(models)
    (broken := shutil.copytree(models / "qwen2.5-vl", tmp_path / "model") / "model.safetensors").write_bytes(b"torn")
    assert broken.is_file()
    stages = [warm_up("one", samples="text", max_prompt_tokens=100), warm_up("two", max_prompt_tokens=120)]
    result = train(config(tmp_path / "c.toml", tmp_path / "run", dataset, tmp_path / "model", stages))
    told = message(result)
    assert "12 of the 12 samples of the stage 'one' cannot be trained on" in told
    assert "12 of the 12 samples of the stage 'two' cannot be trained on" in told
    assert "tokens, at most 100 allowed" in told
    assert not (tmp_path / "run/train/one").exists()


def test_drop_bad_leaves_samples_out_and_keeps_a_list(dataset: Path, models: Path, tmp_path: Path) -> None:
    model = backend(models)
    data = read_stage(dataset, stage(limit=12), kept_images=tmp_path / "images")
    lengths = sorted(PromptLengths(model).count(data.samples))
    limit = lengths[6]
    longer = sum(length > limit for length in lengths)
    assert 0 < longer < 12
    table = warm_up(max_prompt_tokens=limit)
    table["sft"] = {"max_steps": 1, "per_device_train_batch_size": 2, "save_strategy": "no"}
    file = config(tmp_path / "c.toml", tmp_path / "run", dataset, models / "qwen2.5-vl", [table])
    assert f"{longer} of the 12 samples" in message(train(file))
    result = train(file, "--drop-bad", "--json")
    assert json.loads(result.stdout)["dropped"] == {"prompt_too_long": longer}
    folder = tmp_path / "run/train/warm-up"
    lines = [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]
    assert Counter(line["reason"] for line in lines) == {"prompt_too_long": longer}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["inputs"], manifest["counts"]["samples"]) == (12, 12 - longer)
    assert manifest["rejections"] == {"prompt_too_long": longer}


def test_mistakes_in_options_of_all_stages_are_told_at_once(dataset: Path, models: Path, tmp_path: Path) -> None:
    backend(models)
    first, second = warm_up(), grpo()
    first["sft"] = {"max_steps": "three", "learning_rat": 1.0, "packing": True, "output_dir": "x"}
    first["types"] = ["arithmetic"]
    second["grpo"] = {"num_generation": 4}
    told = message(
        train(config(tmp_path / "c.toml", tmp_path / "run", dataset, models / "qwen2.5-vl", [first, second]))
    )
    assert "train.stages[0].sft.max_steps: expected int (given: 'three')" in told
    assert "train.stages[0].sft.learning_rat: unknown option 'learning_rat'. Did you mean 'learning_rate'?" in told
    assert "It has the options of TRL's SFTConfig" in told
    assert "train.stages[0].sft.packing: is not yours to set" in told
    assert "train.stages[0].sft.output_dir: is not yours to set" in told
    assert "train.stages[0].types: unknown 'arithmetic'" in told
    assert "train.stages[1].grpo.num_generation: unknown option" in told


def test_a_model_that_is_not_there_is_told(dataset: Path, tmp_path: Path) -> None:
    file = config(tmp_path / "c.toml", tmp_path / "run", dataset, tmp_path / "nowhere", [warm_up()])
    assert "nowhere' does not exist" in message(train(file))


# ------------------------------------------------------------------------------------------------------- shown


def test_shown_prompts_have_marks_for_images_and_the_right_answer(models: Path) -> None:
    one = all_shapes("en", 4)["growth"]
    told = "\n".join(shown_prompts([one], backend(models), 3, "stage2: "))
    assert told.startswith(f"--- stage2: prompt 1 of 1, sample {one.id}")
    assert told.count("[image 40x30]") == 4
    assert "Image 4:\n[image 40x30]" in told
    assert "[right answer] B, 2.9%; right image 4" in told
    text = "\n".join(shown_prompts([all_shapes("en", 0)["growth"]], backend(models, "causal-lm"), 1))
    assert "[image" not in text and text.rstrip().endswith("[right answer] B, 2.9%")
    assert list(shown_prompts([one], backend(models), 0)) == []


# ---------------------------------------------------------------------------------------------------- shipped


@pytest.mark.parametrize("name", ["tar", "tar-release", "demo"])
def test_the_configurations_that_come_along_have_no_mistakes(name: str) -> None:
    plugins = Plugins.load()
    shipped = load_config([Path(__file__).parents[1] / f"configs/{name}.toml"], plugins=plugins).train
    assert shipped is not None
    for_cpu = [
        one.model_copy(
            update={kind: {k: v for k, v in getattr(one, kind).items() if k != "bf16"} for kind in ("sft", "grpo")}
        )
        for one in shipped.stages
    ]
    rewards = check_options(shipped.model_copy(update={"stages": tuple(for_cpu)}), plugins, seed=0)
    assert any(one is not None and "accuracy" in one.names for one in rewards)


def test_the_documentation_names_every_option_and_reason() -> None:
    text = (Path(__file__).parents[1] / "docs/training.md").read_text(encoding="utf-8")
    fields = [*TrainConfig.model_fields, *StageConfig.model_fields, *CurriculumConfig.model_fields, *REASONS]
    assert [name for name in fields if f"`{name}`" not in text] == []
