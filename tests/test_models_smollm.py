"""A real pretrained model from PyPI: it answers, trains through LoRA, and is saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from finlmm_core import Sampling
from finlmm_core.plugins.manager import Plugins
from finlmm_core.plugins.refs import PluginRef
from finlmm_core.testing.smollm import smollm_folder

pytestmark = pytest.mark.slow


def test_a_real_model_answers_chooses_and_is_trained_through_adapters(tmp_path: Path) -> None:
    from finlmm_models.causal_lm import CausalLM

    folder = smollm_folder()
    options = {"path": str(folder), "lora": {"rank": 4}}
    backend = Plugins.load().create("model", PluginRef(name="causal-lm", options=options))
    assert isinstance(backend, CausalLM)

    def asked(text: str) -> list[dict[str, object]]:
        return [{"role": "user", "content": [{"type": "text", "text": text}]}]

    prompts = [asked("What is the capital of France? Answer with one word."), asked("Say hello.")]
    answers = backend.generate(prompts, Sampling(max_new_tokens=24))
    assert "Paris" in answers[0][0].text
    assert not answers[0][0].truncated
    shares = backend.choice_probabilities(prompts[:1], ["Paris", "London", "Tokyo"])
    assert shares[0][0] > 0.5

    # A few steps towards another answer; the saved model gives it, the one that it began as does not.
    loaded = backend.load("train")
    from peft import get_peft_model

    model = get_peft_model(loaded.model, loaded.peft_config)
    turns = [{"role": "user", "content": prompts[0][0]["content"][0]["text"]}]  # type: ignore[index]
    text = loaded.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = loaded.tokenizer(text + "Lyon", return_tensors="pt", add_special_tokens=False)["input_ids"]
    answer = len(loaded.tokenizer("Lyon", add_special_tokens=False)["input_ids"])
    labels = ids.clone()
    labels[:, :-answer] = -100
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=5e-3)
    for _ in range(8):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    backend.save(loaded, model, tmp_path / "model")
    trained = backend.at(tmp_path / "model")
    after = trained.choice_probabilities(prompts[:1], ["Paris", "Lyon"])
    before = backend.choice_probabilities(prompts[:1], ["Paris", "Lyon"])
    assert before[0][1] < 0.5 < after[0][1]
