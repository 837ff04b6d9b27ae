"""The discriminator's learning: rounds of training on the policy's rollouts, and how good it is on held-out ones."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from finlmm_core import FinlmmError
from finlmm_rewards.adversarial.buffer import Buffer, Example, draw
from finlmm_rewards.adversarial.discriminator import Discriminator, in_batches, read_all, weights_by_name
from finlmm_rewards.adversarial.encoder import load_encoder
from finlmm_rewards.adversarial.measures import auc, auc_within, brier, calibration_error
from finlmm_rewards.adversarial.options import AdversarialOptions
from finlmm_rewards.adversarial.reading import Reading

_PRETRAINED_LR, _TINY_LR = 5e-6, 1e-3
_CLIPPED = 1.0  # largest norm of a gradient
_FITTED = 256  # newest rollouts that the mean probability is fitted on


class Learner:
    """A discriminator with its optimizer, its replay buffers and its own sources of chance.

    Nothing here draws from torch's or Python's global generators, so that the policy samples the same with it as
    without.

    Args:
        options: of the reward.
        device: where the discriminator lives.
        seed: of its first weights and of what is drawn.
        broadcast: overwrites tensors in place with those of the first process.
    """

    def __init__(
        self,
        options: AdversarialOptions,
        *,
        device: str = "cpu",
        seed: int = 0,
        broadcast: Callable[[Sequence[Any]], None] = lambda tensors: None,
    ) -> None:
        self.options = options
        self.device = torch.device(device)
        self._broadcast = broadcast
        self._random = random.Random(f"adversarial/{seed}")
        self._dropout = torch.Generator().manual_seed(self._random.getrandbits(62))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._random.getrandbits(62))
            encoder = load_encoder(
                options.encoder,
                window=options.window,
                overlap=options.overlap,
                question_tokens=options.question_tokens,
            )
            self.module = Discriminator(encoder, options.freeze_encoder)
        self.module.to(self.device)
        encoder_lr = options.lr or (_TINY_LR if options.encoder == "tiny" else _PRETRAINED_LR)
        trained = self.module.trained()
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [w for name, w in trained if name.startswith("encoder.")], "lr": encoder_lr},
                {"params": [w for name, w in trained if not name.startswith("encoder.")], "lr": options.head_lr},
            ],
            weight_decay=options.weight_decay,
        )
        self.training = Buffer(options.buffer_size)
        self.held_out = Buffer(options.held_out_size)
        # Of a frozen encoder the features of what is in the buffers, so that a round costs next to nothing.
        self._features: dict[str, list[torch.Tensor]] = {"training": [], "held_out": []}
        self.rounds = 0
        self.observed = 0
        self.shift = 0.0  # added to logits, so that the probabilities' mean is the share of right answers
        self.auc: float | None = None
        self.auc_within: float | None = None  # of pairs of one group: an advantage sees no other differences

    # ---------------------------------------------------------------------------------------------------- use

    def probabilities(self, readings: Sequence[Reading]) -> list[float]:
        """Return P(the answer was right) for each text; equal texts get equal values."""
        distinct = list(dict.fromkeys(readings))
        if not distinct:
            return []
        features = read_all(self.module, distinct)
        return self._said(features, {text: place for place, text in enumerate(distinct)}, readings)

    def _said(self, features: torch.Tensor, places: Mapping[Reading, int], wanted: Sequence[Reading]) -> list[float]:
        with torch.no_grad():
            logits = self.module.logits(features.to(self.device)).double().cpu() + self.shift
        values = torch.sigmoid(logits).tolist()
        return [values[places[text]] for text in wanted]

    # ----------------------------------------------------------------------------------------------- learning

    def observe(self, training: Sequence[Example], held_out: Sequence[Example]) -> dict[str, float]:
        """Take one batch's examples, train where it is time, and return metrics."""
        self.observed += 1
        for name, buffer, examples in (
            ("training", self.training, training),
            ("held_out", self.held_out, held_out),
        ):
            if self.options.freeze_encoder and examples:
                self._features[name] += read_all(self.module, _readings(examples))
            del self._features[name][: buffer.add(examples)]
        real = [example.label for example in self.training.examples if not example.kind]
        metrics = {"buffer": float(len(self.training)), "held_out": float(len(self.held_out))}
        if real:
            metrics["right_rate"] = sum(real) / len(real)
        if self.observed % self.options.every == 0 and self._enough():
            metrics |= self._train_round()
            metrics |= self.measure()
            self.auc, self.auc_within = metrics.get("auc"), metrics.get("auc_within")
        return metrics

    def _enough(self) -> bool:
        right = sum(example.label for example in self.training.examples)
        return min(right, len(self.training) - right) >= self.options.least_examples

    def _train_round(self) -> dict[str, float]:
        options = self.options
        examples = self.training.examples
        count = max(1, round(options.epochs * len(examples)))
        if options.most_batches is not None:
            count = min(count, options.most_batches * options.batch_size)
        order = draw(
            examples,
            count,
            self._random,
            balanced=options.balance == "sampling",
            replay=options.replay,
            half_life=options.half_life,
            round_number=self.rounds,
        )
        right = sum(example.label for example in examples)
        weights = (1.0, 1.0)
        if options.balance == "weighting":
            weights = (len(examples) / (2 * (len(examples) - right)), len(examples) / (2 * right))
        losses = [
            self._step(order[start : start + options.batch_size], weights)
            for start in range(0, len(order), options.batch_size)
        ]
        self.rounds += 1
        self._agree()
        self.shift = self._fitted_shift()
        return {"loss": math.fsum(losses) / len(losses), "rounds": float(self.rounds), "batches": float(len(losses))}

    def _step(self, places: Sequence[int], weights: tuple[float, float]) -> float:
        """Take one optimizer step on the examples at these places; return the loss."""
        examples = [self.training.examples[place] for place in places]
        labels = torch.tensor([float(example.label) for example in examples])
        weighed = torch.tensor([weights[example.label] for example in examples])
        kept = torch.rand((len(examples), self.module.reader.width), generator=self._dropout) >= self.options.dropout
        dropout = kept.float() / (1 - self.options.dropout)
        if self.options.freeze_encoder:
            batches = [list(range(len(examples)))]
            known = torch.stack([self._features["training"][place] for place in places])
        else:
            texts = self.module.reader.windows(_readings(examples))
            batches = list(in_batches(texts, range(len(texts))))
        self._optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for batch in batches:
            if self.options.freeze_encoder:
                features = known[batch].to(self.device)
            else:
                features = self.module.features([texts[place] for place in batch])
            logits = self.module.logits(features, dropout[batch].to(self.device))
            each = torch.nn.functional.binary_cross_entropy_with_logits(
                logits, labels[batch].to(self.device), reduction="none"
            )
            loss = (each * weighed[batch].to(self.device)).sum() / len(examples)
            loss.backward()
            total += float(loss.detach())
        if not math.isfinite(total):
            raise FinlmmError(
                f"the reward 'adversarial' has a loss of {total} in its round {self.rounds + 1} of training.",
                hint="Give it a smaller lr or head_lr.",
            )
        torch.nn.utils.clip_grad_norm_([weight for _, weight in self.module.trained()], _CLIPPED)
        self._optimizer.step()
        return total

    def _fitted_shift(self) -> float:
        """Return what has to be added to logits for the newest rollouts' mean probability to be their share of right.

        Balance and corrupted copies move what was trained at away from the policy's own rollouts; this takes it back.
        """
        places = [place for place, example in enumerate(self.training.examples) if not example.kind][-_FITTED:]
        if not places:
            return 0.0
        examples = [self.training.examples[place] for place in places]
        if self.options.freeze_encoder:
            features = torch.stack([self._features["training"][place] for place in places])
        else:
            features = read_all(self.module, _readings(examples))
        with torch.no_grad():
            logits = self.module.logits(features.to(self.device)).double().cpu()
        share = (sum(example.label for example in examples) + 1) / (len(examples) + 2)
        low, high = -30.0, 30.0
        for _ in range(60):  # the mean rises with the shift
            middle = (low + high) / 2
            low, high = (low, middle) if float(torch.sigmoid(logits + middle).mean()) > share else (middle, high)
        fitted = torch.tensor([low], dtype=torch.float64)
        self._broadcast([fitted])
        return float(fitted)

    def _agree(self) -> None:
        """Make weights and optimizer of all processes those of the first, to the bit."""
        state = self._optimizer.state
        weights = [weight for _, weight in self.module.trained()]
        moments = [state[weight][name] for weight in weights for name in ("exp_avg", "exp_avg_sq") if weight in state]
        self._broadcast([*(weight.data for weight in weights), *moments])

    # ---------------------------------------------------------------------------------------------- measuring

    def measure(self) -> dict[str, float]:
        """Return how good it is on held-out rollouts; what cannot be measured is left out.

        ``auc``, ``ece`` and ``brier`` are of the policy's own rollouts, ``auc_within`` of pairs of one group;
        ``corruption_auc/<kind>`` tells right rollouts from copies of right ones with that corruption.
        """
        examples = self.held_out.examples
        if not examples:
            return {}
        if self.options.freeze_encoder:
            distinct = {reading: place for place, reading in enumerate(_readings(examples))}
            said = self._said(torch.stack(self._features["held_out"]), distinct, _readings(examples))
        else:
            said = self.probabilities(_readings(examples))
        pairs = list(zip(said, examples, strict=True))
        own = [(value, example) for value, example in pairs if not example.kind]
        values, labels = [value for value, _ in own], [example.label for _, example in own]
        found = {"auc": auc(values, labels), "ece": calibration_error(values, labels), "brier": brier(values, labels)}
        found["auc_within"] = auc_within(values, labels, [example.group for _, example in own])
        right = [value for value, example in own if example.label]
        for kind in sorted({example.kind for example in examples if example.kind}):
            wrong = [value for value, example in pairs if example.kind == kind]
            found[f"corruption_auc/{kind}"] = auc([*right, *wrong], [1] * len(right) + [0] * len(wrong))
        return {name: value for name, value in found.items() if value is not None}

    # --------------------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """Return everything that learning changed: tensors on the CPU, numbers and strings."""
        version, numbers, spare = self._random.getstate()
        state: dict[str, Any] = {
            "encoder": self.options.encoder,
            "rounds": self.rounds,
            "observed": self.observed,
            "shift": self.shift,
            "auc": self.auc,
            "auc_within": self.auc_within,
            "random": json.dumps([version, list(numbers), spare]),
            "dropout": self._dropout.get_state(),
            "training": self.training.to_json(),
            "held_out": self.held_out.to_json(),
        }
        for name, tensor in weights_by_name(self.module).items():
            state[f"weights.{name}"] = tensor.detach().cpu().clone()
        for number, moments in self._optimizer.state_dict()["state"].items():
            for name, value in moments.items():
                state[f"optimizer.{number}.{name}"] = value.detach().cpu().clone()
        for name, rows in self._features.items():
            if rows:
                state[f"features.{name}"] = torch.stack(rows)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken.

        Raises:
            FinlmmError: the state is of another encoder or of other options.
        """
        own = weights_by_name(self.module)
        weights = {name[8:]: tensor for name, tensor in state.items() if name.startswith("weights.")}
        shapes = [{name: tuple(tensor.shape) for name, tensor in side.items()} for side in (weights, own)]
        if state.get("encoder") != self.options.encoder or shapes[0] != shapes[1]:
            raise FinlmmError(
                f"the checkpoint's state of the reward 'adversarial' is of the encoder '{state.get('encoder')}'"
                f"{', frozen or not otherwise' if state.get('encoder') == self.options.encoder else ''}; "
                f"the config says '{self.options.encoder}'.",
                hint="Resume with the options that the run was begun with, or begin the stage anew.",
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(weights[name])
        moments: dict[int, dict[str, Any]] = {}
        for name, value in state.items():
            if name.startswith("optimizer."):
                _, number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = value.clone()
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": moments})
        version, numbers, spare = json.loads(state["random"])
        self._random.setstate((version, tuple(numbers), spare))
        self._dropout.set_state(state["dropout"].clone())
        self.training.take_json(state["training"])
        self.held_out.take_json(state["held_out"])
        self._features = {
            name: list(state[f"features.{name}"].clone()) if f"features.{name}" in state else []
            for name in ("training", "held_out")
        }
        self.rounds, self.observed = int(state["rounds"]), int(state["observed"])
        self.shift, self.auc, self.auc_within = float(state["shift"]), state["auc"], state.get("auc_within")


def _readings(examples: Sequence[Example]) -> list[Reading]:
    return [Reading(example.question, example.thinking) for example in examples]
