"""Model backends: all families, tiny, on the CPU: the contract, images, draws, choices, chat."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from finlmm_core import FinlmmError, ModelBackend, Sampling
from finlmm_core.plugins.bases import Message
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.store.images import ImageStore
from finlmm_core.testing import ModelContract, tiny_model
from finlmm_core.testing.models import contrastive_sample, text_sample
from finlmm_core.tiny_models import KINDS

BACKENDS = {
    "qwen2-vl": "qwen-vl",
    "qwen2.5-vl": "qwen-vl",
    "qwen3-vl": "qwen-vl",
    "internvl": "internvl",
    "causal-lm": "causal-lm",
}
VISION = [kind for kind in KINDS if kind != "causal-lm"]

Make = Callable[..., ModelBackend]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny model of each kind; weights large enough that answers differ."""
    home = tmp_path_factory.mktemp("tiny")
    return {kind: tiny_model(kind, home / kind, init=0.08) for kind in KINDS}


@pytest.fixture(scope="module")
def make(tiny: dict[str, Path]) -> Make:
    """Make a backend of a kind with options, once for the same options."""
    plugins = Plugins.load()
    made: dict[str, ModelBackend] = {}

    def backend(kind: str, **options: Any) -> ModelBackend:
        key = json.dumps([kind, options])
        if key not in made:
            ref = PluginRef(name=BACKENDS[kind], options={"path": str(tiny[kind]), **options})
            created = plugins.create("model", ref)
            assert isinstance(created, ModelBackend)
            made[key] = created
        return made[key]

    return backend


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def asked(text: str, *images: Image.Image) -> list[Message]:
    """Return a conversation of one turn."""
    parts = [{"type": "image", "image": image} for image in images]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


@pytest.mark.parametrize("kind", KINDS)
class TestContract(ModelContract):
    @pytest.fixture
    def backend(self, make: Make, kind: str) -> ModelBackend:  # type: ignore[override]
        return make(kind)


@pytest.mark.parametrize("kind", VISION)
def test_what_an_image_shows_changes_what_the_model_says(make: Make, kind: str) -> None:
    backend = make(kind)
    red, blue = (Image.new("RGB", (112, 56), colour) for colour in ("red", "blue"))
    shares = backend.choice_probabilities([asked("Which?", red), asked("Which?", blue)], ["A", "B"])
    assert shares is not None
    assert abs(shares[0][0] - shares[1][0]) > 1e-4


@pytest.mark.parametrize("kind", VISION)
def test_images_of_several_sizes_count_as_tokens_within_the_limit_of_pixels(
    make: Make, kind: str, store: ImageStore
) -> None:
    sampling = Sampling(max_new_tokens=1)
    samples = [contrastive_sample(store, count) for count in (1, 2, 3)]
    counted = {}
    for limit in (56 * 56, 4 * 56 * 56):
        backend = make(kind, max_pixels=limit)
        answers = backend.generate([backend.messages(sample, store) for sample in samples], sampling)
        counted[limit] = [of_one[0].prompt_tokens for of_one in answers]
        assert counted[limit] == sorted(counted[limit])
    assert counted[56 * 56][2] < counted[4 * 56 * 56][2]


@pytest.mark.parametrize("kind", KINDS)
def test_image_tokens_are_never_generated(make: Make, kind: str) -> None:
    backend = make(kind)
    loaded = backend.load()
    assert bool(loaded.image_token_ids) == (kind in VISION)
    answers = backend.generate([asked("x")], Sampling(max_new_tokens=120, temperature=50.0, n=6, seed=0))
    drawn = {token for completion in answers[0] for token in completion.token_ids}
    assert len(drawn) > 150  # so hot that any token is drawn
    assert not drawn & set(loaded.image_token_ids)


def test_draws_belong_to_the_conversation_and_not_to_its_batch(make: Make) -> None:
    backend = make("qwen2.5-vl")
    prompts = [asked("Revenue?"), asked("How much did revenue grow from 2021 to 2022?"), asked("Net income?")]
    drawn = Sampling(max_new_tokens=8, temperature=1.0, n=3, seed=7)
    together = backend.generate(prompts, drawn)
    assert [backend.generate([one], drawn)[0] for one in prompts] == together
    narrow = make("qwen2.5-vl", batch_tokens=1)  # one row a batch
    assert narrow.generate(prompts, drawn) == together
    assert len({completion.token_ids for completion in together[0]}) == 3


def test_equal_conversations_of_one_call_are_drawn_apart(make: Make) -> None:
    backend = make("causal-lm")
    answers = backend.generate([asked("Revenue?")] * 3, Sampling(max_new_tokens=12, temperature=1.5, seed=7))
    assert len({of_one[0].token_ids for of_one in answers}) == 3


def test_drawing_leaves_torchs_random_state_alone(make: Make) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    make("causal-lm").generate([asked("Revenue?")], Sampling(max_new_tokens=4, temperature=1.0))
    assert torch.equal(torch.rand(2), expected)


def test_draws_follow_the_models_probabilities(make: Make) -> None:
    backend = make("causal-lm")
    tokenizer = backend.load().tokenizer
    prompt = asked("Revenue?")
    count = 800
    answers = backend.generate([prompt], Sampling(max_new_tokens=1, temperature=1.0, n=count, seed=5))[0]
    letters = "ABCDEFGH"
    found = {
        letter: sum(one.token_ids == tuple(tokenizer(letter)["input_ids"]) for one in answers) for letter in letters
    }
    shares = backend.choice_probabilities([prompt], list(letters))
    assert shares is not None
    total = sum(found.values())
    assert total > 5
    # Among the draws that are letters at all, the letters are as frequent as they are likely (chi-square, 7 degrees
    # of freedom, p = .001).
    expected = [share * total for share in shares[0]]
    assert sum((found[a] - e) ** 2 / e for a, e in zip(letters, expected, strict=True)) < 24.3


@pytest.mark.parametrize("limit", [{"top_k": 1}, {"top_p": 1e-6}])
def test_one_token_left_to_draw_from_is_the_greedy_one(make: Make, limit: dict[str, Any]) -> None:
    backend = make("internvl")
    greedy = backend.generate([asked("Revenue?")], Sampling(max_new_tokens=6))
    assert backend.generate([asked("Revenue?")], Sampling(max_new_tokens=6, temperature=2.0, seed=1, **limit)) == greedy


@pytest.mark.parametrize("kind", KINDS)
def test_the_likeliest_choice_is_what_greedy_decoding_says(make: Make, kind: str, store: ImageStore) -> None:
    backend = make(kind)
    samples = [text_sample(), text_sample("What was revenue?")]
    samples += [contrastive_sample(store, 2)] if kind in VISION else []
    prompts = [backend.messages(sample, store) for sample in samples]
    tokenizer = backend.load().tokenizer
    for prompt, answers in zip(prompts, backend.generate(prompts, Sampling(max_new_tokens=2)), strict=True):
        said = tokenizer.decode(answers[0].token_ids[:1])
        if "�" in said or tokenizer(said)["input_ids"] != list(answers[0].token_ids[:1]):
            continue  # half a character
        others = [letter for letter in "ABC" if letter != said]
        shares = backend.choice_probabilities([prompt], [said, *others])
        assert shares is not None
        assert shares[0][0] == max(shares[0])


@pytest.mark.parametrize("kind", KINDS)
def test_choices_of_several_tokens_are_as_likely_as_their_tokens_one_by_one(make: Make, kind: str) -> None:
    """Padding, shared beginnings and kept positions change nothing: compared with one plain forward pass a choice."""
    backend = make(kind)
    loaded = backend.load()
    images = [Image.new("RGB", (112, 84), "green")] if kind in VISION else []
    prompts = [asked("Revenue?", *images), asked("How much did revenue grow from 2021 to 2022?")]
    choices = ["A", "25%", "25 million", "the year 2022"]
    shares = backend.choice_probabilities(prompts, choices)
    assert shares is not None
    for prompt, found in zip(prompts, shares, strict=True):
        content = prompt[0]["content"] if kind in VISION else prompt[0]["content"][0]["text"]
        inputs = loaded.processor.apply_chat_template(
            [[{"role": "user", "content": content}]],
            tokenize=True,
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        )
        logs = []
        for choice in choices:
            ids = loaded.tokenizer(choice, return_tensors="pt", add_special_tokens=False)["input_ids"]
            row = dict(inputs)
            row["input_ids"] = torch.cat([inputs["input_ids"], ids], dim=1)
            row["attention_mask"] = torch.ones_like(row["input_ids"])
            if "mm_token_type_ids" in row:
                row["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(ids)], dim=1)
            with torch.no_grad():
                said = loaded.model(**row).logits[0].log_softmax(dim=-1)
            start = inputs["input_ids"].shape[1] - 1
            logs.append(sum(float(said[start + place, token]) for place, token in enumerate(ids[0].tolist())))
        assert found == pytest.approx(torch.tensor(logs, dtype=torch.float64).softmax(dim=0).tolist(), abs=1e-5)


def test_a_last_turn_of_the_assistants_is_continued(make: Make) -> None:
    for kind in ("qwen3-vl", "causal-lm"):
        backend = make(kind)
        plain = asked("Revenue?")
        begun = [
            *plain,
            {"role": "assistant", "content": [{"type": "text", "text": "<think>It grew.</think><answer>"}]},
        ]
        short, long = (
            backend.generate([one], Sampling(max_new_tokens=1))[0][0].prompt_tokens for one in (plain, begun)
        )
        added = backend.load().tokenizer("<think>It grew.</think><answer>", add_special_tokens=False)["input_ids"]
        assert long == short + len(added)


def test_a_model_in_train_mode_stays_in_it_and_answers_without_dropout(make: Make) -> None:
    backend = make("causal-lm")
    model = backend.load().model
    before = backend.generate([asked("Revenue?")], Sampling(max_new_tokens=4))
    model.train()
    try:
        assert backend.generate([asked("Revenue?")], Sampling(max_new_tokens=4)) == before
        assert model.training
    finally:
        model.eval()


def test_settings_of_the_checkpoint_do_not_change_how_it_decodes(make: Make, tiny: dict[str, Path]) -> None:
    backend = make("causal-lm")
    expected = backend.generate([asked("Revenue?")], Sampling(max_new_tokens=8))
    model = backend.load().model
    own = model.generation_config
    model.generation_config = type(own)(**{**own.to_dict(), "do_sample": True, "repetition_penalty": 5.0, "top_k": 2})
    try:
        assert backend.generate([asked("Revenue?")], Sampling(max_new_tokens=8)) == expected
        assert model.generation_config.repetition_penalty == 5.0
    finally:
        model.generation_config = own


def test_a_conversation_without_its_image_and_an_image_without_eyes_are_told(make: Make, store: ImageStore) -> None:
    sample = contrastive_sample(store)
    with pytest.raises(FinlmmError, match="place of an image without the image"):
        make("qwen2-vl").generate([make("qwen2-vl").messages(sample)], Sampling(max_new_tokens=1))
    with pytest.raises(FinlmmError, match="text-only model"):
        make("causal-lm").generate([asked("x", Image.new("RGB", (8, 8)))], Sampling(max_new_tokens=1))


def test_an_image_of_a_shape_that_the_processor_refuses_is_told_with_its_size(make: Make) -> None:
    with pytest.raises(FinlmmError, match="1000 x 2"):
        make("qwen2-vl").generate([asked("x", Image.new("RGB", (1000, 2)))], Sampling(max_new_tokens=1))


def test_choices_must_be_there_and_hold_something(make: Make) -> None:
    for choices in ([], ["A", ""]):
        with pytest.raises(FinlmmError, match="expected at least one"):
            make("causal-lm").choice_probabilities([asked("x")], choices)


def test_running_out_of_memory_says_what_to_lower(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = make("qwen2-vl")

    def no_memory(**_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(backend.load().model, "generate", no_memory)
    with pytest.raises(FinlmmError, match=r"out of memory.*prompts of \d+ tokens") as told:
        backend.generate([asked("Revenue?")], Sampling(max_new_tokens=4))
    assert "batch_tokens" in str(told.value) and "max_pixels" in str(told.value)


def test_weights_that_are_not_numbers_end_generation_with_a_message(make: Make, tiny: dict[str, Path]) -> None:
    backend = make("causal-lm").at(tiny["causal-lm"])
    with torch.no_grad():
        backend.load().model.get_input_embeddings().weight.fill_(torch.nan)
    with pytest.raises(FinlmmError, match="not numbers"):
        backend.generate([asked("Revenue?")], Sampling(max_new_tokens=4, temperature=1.0))


def test_listing_the_models_imports_no_torch() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['finlmm', 'models', 'show']\n"
        "from finlmm_core.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'transformers', 'peft'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("qwen-vl", "internvl", "causal-lm", "Qwen/Qwen2.5-VL-3B-Instruct"):
        assert name in done.stdout
