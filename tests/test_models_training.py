"""Model backends in training: what trains, what is frozen, what is saved, and what a bad folder is told."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from typer.testing import CliRunner

from finlmm_core import FinlmmError, Loaded, ModelBackend, Sampling
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.testing import tiny_model
from finlmm_core.tiny_models import KINDS

BACKENDS = {"internvl": "internvl", "causal-lm": "causal-lm"}  # the others are qwen-vl
VISION = [kind for kind in KINDS if kind != "causal-lm"]

#: Kinds with tied embeddings and without; what the others of the latter would tell is in the slow tests.
CASES = [(kind, True) for kind in KINDS] + [
    pytest.param(kind, False, marks=() if kind in ("qwen2.5-vl", "internvl") else pytest.mark.slow) for kind in KINDS
]

Make = Callable[..., ModelBackend]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Path]:
    """The tiny model of each kind, with tied embeddings and without."""
    home = tmp_path_factory.mktemp("tiny")
    cases = [(kind, tied) for kind in KINDS for tied in (True, False)]
    return {(kind, tied): tiny_model(kind, home / f"{kind}-{tied}", init=0.08, tied=tied) for kind, tied in cases}


@pytest.fixture(scope="module")
def make(tiny: dict[tuple[str, bool], Path]) -> Make:
    """Make a new backend of a kind with options."""
    plugins = Plugins.load()

    def backend(kind: str, tied: bool = True, **options: Any) -> ModelBackend:
        ref = PluginRef(name=BACKENDS.get(kind, "qwen-vl"), options={"path": str(tiny[kind, tied]), **options})
        created = plugins.create("model", ref)
        assert isinstance(created, ModelBackend)
        return created

    return backend


def inputs(loaded: Loaded) -> dict[str, Any]:
    """Return one batch of two conversations, with images where the model sees them."""
    images = [] if loaded.processor is loaded.tokenizer else [Image.new("RGB", (112, 56), "red")]
    turns = []
    for text in ("Revenue?", "How much did revenue grow?"):
        parts = [{"type": "image", "image": image} for image in images] + [{"type": "text", "text": text}]
        turns.append([{"role": "user", "content": parts if images else text}])
    made = loaded.processor.apply_chat_template(
        turns, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt", padding=True
    )
    return dict(made)


def logits(model: Any, batch: dict[str, Any]) -> Any:
    """Return what a model says of a batch, in eval mode."""
    model.eval()
    with torch.no_grad():
        return model(**batch).logits


def stored_names(folder: Path) -> set[str]:
    """Return the names of the weights in a folder's file."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return set(file.keys())


def wrapped(backend: ModelBackend) -> tuple[Loaded, Any]:
    """Return a loaded model and the same model with adapters that change something."""
    loaded = backend.load("train")
    from peft import get_peft_model

    model = get_peft_model(loaded.model, loaded.peft_config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
    return loaded, model


@pytest.mark.parametrize(("kind", "tied"), CASES)
def test_trained_weights_are_saved_as_published_ones_are_and_load_to_equal_logits(
    make: Make, tiny: dict[tuple[str, bool], Path], kind: str, tied: bool, tmp_path: Path
) -> None:
    backend = make(kind, tied)
    loaded = backend.load("train")
    with torch.no_grad():
        for weight in loaded.model.parameters():
            weight.add_(0.01)
    expected = logits(loaded.model, inputs(loaded))
    template = loaded.processor.chat_template
    loaded.processor.chat_template = loaded.tokenizer.chat_template = "{{ 'of a trainer' }}"
    loaded.model.config.use_cache = False  # as trainers do

    backend.save(loaded, loaded.model, tmp_path / "model")

    again = backend.at(tmp_path / "model").load()
    assert torch.equal(logits(again.model, inputs(again)), expected)
    assert stored_names(tmp_path / "model") == stored_names(tiny[kind, tied])
    names = {file.name for file in (tmp_path / "model").iterdir()}
    older = {"preprocessor_config.json"} if kind in VISION else set()
    assert names == {file.name for file in tiny[kind, tied].iterdir()} | older
    assert len({file.stat().st_mode for file in (tmp_path / "model").iterdir()}) == 1
    assert again.processor.chat_template == template
    assert json.loads((tmp_path / "model" / "config.json").read_text()).get("use_cache") is not False
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(("kind", "tied"), CASES)
def test_adapters_are_saved_merged_and_stay_apart_in_memory(
    make: Make, tiny: dict[tuple[str, bool], Path], kind: str, tied: bool, tmp_path: Path
) -> None:
    backend = make(kind, tied, lora={"rank": 4, "vision": kind in VISION})
    loaded, model = wrapped(backend)
    batch = inputs(loaded)
    expected = logits(model, batch)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    backend.save(loaded, model, tmp_path / "model")

    again = backend.at(tmp_path / "model").load()
    assert torch.allclose(logits(again.model, batch), expected, atol=1e-4)
    with model.disable_adapter():
        assert not torch.allclose(logits(model, batch), expected, atol=1e-2)
    assert stored_names(tmp_path / "model") == stored_names(tiny[kind, tied])
    assert not (tmp_path / "model" / "adapter_config.json").exists()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_leave_vision_and_the_output_layer_alone_unless_asked(make: Make, kind: str) -> None:
    _, model = wrapped(make(kind, lora={"rank": 2}))
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert all("lora_" in name for name in trained)
    assert len(trained) == 2 * 7 * 2  # layers x linear layers of each x (A, B)
    assert not [name for name in trained if "lm_head" in name or "visual" in name or "vision_tower" in name]
    if kind in VISION:
        _, model = wrapped(make(kind, lora={"rank": 2, "vision": True}))
        more = [name for name, weight in model.named_parameters() if weight.requires_grad]
        assert set(trained) < set(more)
        assert any("visual.blocks" in name or "vision_tower" in name for name in more)
        assert any("merger" in name or "projector" in name for name in more)


def test_adapters_go_to_the_layers_that_are_named(make: Make) -> None:
    _, model = wrapped(make("qwen2.5-vl", lora={"rank": 2, "targets": ["q_proj", "down_proj"]}))
    trained = {name.split(".lora_")[0].rpartition(".")[2] for name, w in model.named_parameters() if w.requires_grad}
    assert trained == {"q_proj", "down_proj"}  # and not the vision tower's down_proj:
    assert not [name for name, weight in model.named_parameters() if weight.requires_grad and "visual" in name]
    with pytest.raises(FinlmmError, match="no linear layer of this model is named 'query'") as told:
        make("qwen2.5-vl", lora={"targets": ["query"]}).load("train")
    assert "q_proj" in str(told.value)
    with pytest.raises(FinlmmError, match="see no images"):
        make("causal-lm", lora={"vision": True}).load("train")


@pytest.mark.parametrize(("kind", "tied"), CASES)
def test_each_part_can_be_frozen_and_all_weights_belong_to_one(make: Make, kind: str, tied: bool) -> None:
    parts = ["vision", "projector", "language", "embeddings"] if kind in VISION else ["language", "embeddings"]
    frozen = {}
    for part in parts:
        model = make(kind, tied, freeze=[part]).load("train").model
        frozen[part] = {name for name, weight in model.named_parameters() if not weight.requires_grad}
        assert frozen[part]
    everything = {name for name, _ in model.named_parameters()}
    assert set.union(*frozen.values()) == everything
    assert sum(len(names) for names in frozen.values()) == len(everything)
    assert all("layers" in name or name.endswith("norm.weight") for name in frozen["language"])
    assert len(frozen["embeddings"]) == (1 if tied else 2)
    if kind in VISION:
        assert all("visual" in name or "vision_tower" in name for name in frozen["vision"])
        assert all("merger" in name or "projector" in name for name in frozen["projector"])


def test_frozen_parts_have_no_gradient_and_the_others_have(make: Make) -> None:
    loaded = make("qwen3-vl", freeze=["vision", "embeddings"]).load("train")
    batch = inputs(loaded)
    assert loaded.model.training
    loaded.model(**batch, labels=batch["input_ids"]).loss.backward()
    for name, weight in loaded.model.named_parameters():
        still = name.startswith(("model.visual.blocks", "model.visual.patch_embed", "model.language_model.embed"))
        if still or "merger.linear" in name or "mlp" in name:
            assert (weight.grad is None) == still, name


def test_freezing_what_is_not_there_or_everything_is_refused(make: Make) -> None:
    with pytest.raises(FinlmmError, match="no part 'vision'"):
        make("causal-lm", freeze=["vision"]).load("train")
    with pytest.raises(FinlmmError, match="nothing to train"):
        make("internvl", freeze=["vision", "projector", "language", "embeddings"]).load("train")
    options = type(make("internvl")).Options
    with pytest.raises(ValidationError, match="says nothing beside 'lora'"):
        options.model_validate({"lora": {}, "freeze": ["vision"]})
    with pytest.raises(ValidationError, match="larger than max_pixels"):
        options.model_validate({"min_pixels": 10, "max_pixels": 5})


def test_saving_again_replaces_and_sweeps_what_a_killed_save_left(make: Make, tmp_path: Path) -> None:
    backend = make("causal-lm")
    loaded = backend.load("train")
    (tmp_path / ".saving-model-0123").mkdir()
    for _ in range(2):
        backend.save(loaded, loaded.model, tmp_path / "model")
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_save_that_fails_leaves_the_folder_as_it_was(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = make("causal-lm")
    loaded = backend.load("train")
    backend.save(loaded, loaded.model, tmp_path / "model")
    before = (tmp_path / "model" / "model.safetensors").read_bytes()
    with torch.no_grad():
        loaded.model.get_input_embeddings().weight.add_(1.0)

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loaded.processor, "save_pretrained", full_disk)
    with pytest.raises(OSError, match="No space left"):
        backend.save(loaded, loaded.model, tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_limits_of_pixels_travel_with_the_saved_model(make: Make, tmp_path: Path) -> None:
    for kind in ("qwen2-vl", "internvl"):
        backend = make(kind, max_pixels=4 * 56 * 56)
        loaded = backend.load("train")
        backend.save(loaded, loaded.model, tmp_path / kind)
        saved = backend.at(tmp_path / kind)
        plain = type(saved)(type(saved).Options.model_validate({"path": str(tmp_path / kind)}))
        one = {"type": "image", "image": Image.new("RGB", (224, 112), "red")}
        counted = [
            each.generate([[{"role": "user", "content": [one]}]], Sampling(max_new_tokens=1))[0][0].prompt_tokens
            for each in (saved, plain, make(kind))
        ]
        assert counted[0] == counted[1] > counted[2]


# ------------------------------------------------------------------------------------------------ bad folders


@pytest.mark.parametrize(
    ("backend", "kind", "named"),
    [
        ("qwen-vl", "internvl", ["'internvl' model", "takes Qwen2-VL", "Use the backend 'internvl'"]),
        ("internvl", "qwen2.5-vl", ["'qwen2_5_vl' model", "takes InternVL3", "Use the backend 'qwen-vl'"]),
        ("causal-lm", "qwen3-vl", ["'qwen3_vl' model", "takes text-only", "Use the backend 'qwen-vl'"]),
        ("qwen-vl", "causal-lm", ["'qwen2' model", "takes Qwen2-VL", "Use the backend 'causal-lm'"]),
    ],
)
def test_a_model_of_another_family_is_told_with_both_names(
    tiny: dict[tuple[str, bool], Path], backend: str, kind: str, named: list[str]
) -> None:
    created = Plugins.load().create("model", PluginRef(name=backend, options={"path": str(tiny[kind, True])}))
    with pytest.raises(FinlmmError) as told:
        created.check()
    assert all(part in str(told.value) for part in named), str(told.value)


def test_internvl_in_its_authors_layout_is_pointed_to_the_other(make: Make, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "internvl_chat"}')
    with pytest.raises(FinlmmError, match="-hf' with 'internvl'"):
        make("internvl").at(tmp_path).check()


def test_bad_paths_and_damaged_folders_say_what_is_wrong(
    make: Make, tiny: dict[tuple[str, bool], Path], tmp_path: Path
) -> None:
    def told(path: Path | str) -> str:
        with pytest.raises(FinlmmError) as error:
            make("causal-lm").at(path).load()
        return str(error.value)

    assert "does not exist" in told(tmp_path / "nowhere")
    assert "is a file" in told(tiny["causal-lm", True] / "config.json")
    assert "no config.json" in told(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "LoRA adapter alone" in told(tmp_path)

    for name, change, expected in (
        ("config.json", lambda file: file.write_text("{"), "is damaged"),
        ("config.json", lambda file: file.write_text("{}"), "names no model_type"),
        ("model.safetensors", lambda file: file.write_bytes(file.read_bytes()[:5000]), "are damaged"),
        ("model.safetensors", lambda file: file.unlink(), "cannot be loaded"),
        ("tokenizer.json", lambda file: file.unlink(), "tokenizer and processor"),
        ("chat_template.jinja", lambda file: file.unlink(), "no chat template"),
    ):
        copy = tmp_path / "copy"
        shutil.copytree(tiny["causal-lm", True], copy)
        change(copy / name)
        assert expected in told(copy), name
        shutil.rmtree(copy)


def test_weights_that_are_missing_are_never_made_up(
    make: Make, tiny: dict[tuple[str, bool], Path], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "part"
    shutil.copytree(tiny["qwen2.5-vl", True], folder)
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(name for name in weights if "down_proj" in name))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FinlmmError, match=r"do not make a whole model: 1 are missing .*down_proj"):
        make("qwen2.5-vl").at(folder).load("train")

    other = tmp_path / "other"
    shutil.copytree(tiny["causal-lm", True], other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"intermediate_size": 256}))
    with pytest.raises(FinlmmError, match=r"6 are missing or of another shape"):
        make("causal-lm").at(other).load("train")
    (other / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(FinlmmError):
        make("causal-lm").at(other).load("train")


def test_a_folder_needs_no_network(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    for kind in KINDS:
        backend = make(kind)
        backend.check()
        loaded = backend.load("train")
        backend.save(loaded, loaded.model, tmp_path / kind)


def test_a_hub_id_that_cannot_be_had_offline_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FinlmmError, match="no folder 'nobody/nothing' here, HF_HUB_OFFLINE is set") as told:
        make("qwen2-vl").at("nobody/nothing").check()
    assert "hf download nobody/nothing" in str(told.value)


def test_a_device_that_is_not_there_is_told(make: Make) -> None:
    with pytest.raises(FinlmmError, match="is no device"):
        make("causal-lm", device="gpu0").load()
    with pytest.raises(FinlmmError, match="is not there"):
        make("causal-lm", device="cuda:63").load()


# ------------------------------------------------------------------------------------------------ tiny models


def test_a_tiny_model_is_the_same_for_the_same_seed_and_leaves_random_numbers_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, same, other = (tiny_model("internvl", tmp_path / str(n), seed=seed) for n, seed in enumerate((0, 0, 1)))
    assert torch.equal(torch.rand(1), expected)
    for name in ("model.safetensors", "tokenizer.json", "config.json", "processor_config.json"):
        assert (one / name).read_bytes() == (same / name).read_bytes()
    assert (one / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()


def test_a_tiny_tokenizer_learns_its_corpus_and_gives_back_any_text(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    text = "<think>营业收入 增长</think> EBITDA 1,234.5% \n"
    plain = AutoTokenizer.from_pretrained(tiny_model("causal-lm", tmp_path / "a"))
    taught = AutoTokenizer.from_pretrained(
        tiny_model("causal-lm", tmp_path / "b", corpus=[text] * 20, whole_tokens=("<think>", "</think>"))
    )
    assert plain.decode(plain(text)["input_ids"]) == taught.decode(taught(text)["input_ids"]) == text
    assert len(taught(text)["input_ids"]) < len(plain(text)["input_ids"])
    assert len(taught("<think></think>")["input_ids"]) == 2
    assert len(taught("2021")["input_ids"]) == 4


def test_a_tiny_model_says_what_it_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(FinlmmError, match=r"no tiny model of kind 'qwen4'(.|\n)*qwen2.5-vl"):
        tiny_model("qwen4", tmp_path)
    with pytest.raises(FinlmmError, match="sizes that do not fit"):
        tiny_model("qwen2-vl", tmp_path, hidden=50)


def test_the_command_makes_a_model_that_its_backend_loads(make: Make, tmp_path: Path) -> None:
    from finlmm_core.cli.app import app

    corpus = tmp_path / "corpus.txt"
    corpus.write_text("net revenue\n营业收入\n", encoding="utf-8")
    arguments = ["models", "tiny", "qwen3-vl", str(tmp_path / "out"), "--size", "learn", "--corpus", str(corpus)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and "qwen3-vl" in done.output
    assert make("qwen3-vl").at(tmp_path / "out").load().model.config.text_config.hidden_size == 96
    for bad in (["--size", "huge"], ["--corpus", "no.txt"], []):  # the last: the folder is there already
        assert isinstance(CliRunner().invoke(app, [*arguments[:4], *bad]).exception, FinlmmError)
