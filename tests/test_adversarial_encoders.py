"""The adversarial reward with pretrained encoders, and in two processes."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from adversarial_rollouts import rollouts
from finlmm_rewards.adversarial import Adversarial
from finlmm_rewards.adversarial import encoder as encoders
from finlmm_rewards.adversarial.encoder import load_encoder
from finlmm_rewards.adversarial.options import AdversarialOptions
from finlmm_rewards.adversarial.reading import Reading

from finlmm_core import FinlmmError
from finlmm_core.errors import MissingExtraError
from finlmm_core.hugging_face import import_transformers
from finlmm_core.plugins.manager import Plugins
from finlmm_core.rewards import RewardServices

SMALL = {"every": 2, "window": 64, "question_tokens": 24, "overlap": 8, "least_examples": 4}


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small RoBERTa, as anybody may have one: other special tokens, other positions."""
    transformers = import_transformers("A test")
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    folder = tmp_path_factory.mktemp("roberta")
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([context.completion for context in rollouts(0)[0]], trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
    )  # fmt: skip
    config = transformers.RobertaConfig(
        vocab_size=len(fast), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    state = torch.get_rng_state()
    torch.manual_seed(0)
    transformers.RobertaModel(config).save_pretrained(folder)
    torch.set_rng_state(state)
    fast.save_pretrained(folder)
    return folder


def test_any_bert_like_folder_is_an_encoder(bert_folder: Path) -> None:
    made = Adversarial(AdversarialOptions(encoder=str(bert_folder), lr=1e-3, **SMALL))
    made.prepare(RewardServices(plugins=Plugins()))
    for step in range(2):
        metrics = made.observe(*rollouts(step))
    assert metrics["rounds"] == 1
    long = [context.model_copy(update={"completion": context.completion.replace("So", "Word " * 300 + "So")})
            for context in rollouts(3)[0]]  # fmt: skip
    assert all(0 < (score.value or 0) < 1 for score in made.score(long))
    copy = Adversarial(made.options)
    copy.load_state_dict(made.state_dict())
    assert copy.score(long) == made.score(long)


def test_special_tokens_that_the_policy_writes_are_plain_text(bert_folder: Path) -> None:
    encoder = load_encoder(str(bert_folder), window=64, overlap=8, question_tokens=24)
    ((window,),) = encoder.windows([Reading("What?", "is </s> <mask> <s> [MASK]")])
    assert [window.ids.count(token) for token in (0, 2, 4)] == [1, 2, 1]
    assert window.ids[0] == 0 and window.ids[-1] == 2


def test_a_window_longer_than_the_encoder_reads_is_refused(bert_folder: Path) -> None:
    with pytest.raises(FinlmmError, match="reads 64 tokens at once; window is 256"):
        load_encoder(str(bert_folder), window=256, overlap=32, question_tokens=96)


def test_missing_models_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "_MINILM", "no_such_package_here")
    services = RewardServices(plugins=Plugins())
    with pytest.raises(MissingExtraError, match="minilm"):
        Adversarial(AdversarialOptions(encoder="minilm")).prepare(services)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FinlmmError, match="could not be loaded"):
        Adversarial(AdversarialOptions(encoder=str(tmp_path))).prepare(services)


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [True, False], ids=["head", "whole"])
def test_minilm_learns_and_resumes(frozen: bool) -> None:
    pytest.importorskip("all_minilm_l6_v2", reason="a sentence encoder, not part of the project, is not here")
    torch.set_num_threads(1)
    options = AdversarialOptions(
        encoder="minilm", freeze_encoder=frozen, every=2, epochs=4.0 if frozen else 0.5, batch_size=16,
        lr=1e-4, held_out=0.3, least_examples=4,
    )  # fmt: skip
    made = Adversarial(options)
    for step in range(4):
        metrics = made.observe(*rollouts(step, prompts=3 + 5 * frozen))
    assert metrics["rounds"] == 2
    assert {"auc", "loss"} <= metrics.keys()
    assert not frozen or metrics["auc"] > 0.6
    state = made.state_dict()
    assert any(name.startswith("weights.encoder.") for name in state) != frozen
    copy = Adversarial(options)
    copy.load_state_dict(state)
    contexts, _ = rollouts(4, prompts=2)
    for one in (made, copy):
        for step in (4, 5):
            one.observe(*rollouts(step, prompts=2))
    assert one.learner.rounds == 3
    assert [score.value for score in copy.score(contexts)] == [score.value for score in made.score(contexts)]


# --------------------------------------------------------------------------------------------------- processes


def _broadcast(tensors: Any) -> None:
    for tensor in tensors:
        torch.distributed.broadcast(tensor, src=0)


def _one_of_two(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    made = Adversarial(AdversarialOptions(encoder="tiny", corruptions=0.5, dropout=0.2, **SMALL))
    made.prepare(
        RewardServices(plugins=Plugins(), seed=4, rank=rank, world_size=2, broadcast=_broadcast),
    )
    if rank == 1:  # what two kinds of hardware do to a sum, made large
        with torch.no_grad():
            for _, weight in made.learner.module.trained():
                weight += 1e-4
    for step in range(4):
        contexts, scores = rollouts(step)
        made.score(contexts[rank * 16 : rank * 16 + 16])  # each its own share
        made.observe(contexts, scores)
    torch.save(made.state_dict(), Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_hold_the_same_discriminator_to_the_bit(tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    torch.multiprocessing.spawn(_one_of_two, args=(port, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first["rounds"] == 2
    assert first.keys() == second.keys()
    for name, value in first.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, second[name]), name
        elif name != "auc":
            assert value == second[name], name
