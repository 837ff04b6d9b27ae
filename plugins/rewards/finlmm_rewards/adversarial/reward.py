"""Does the thinking read like thinking that ends right? Learned from the policy's own rollouts while it trains."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from finlmm_core import FinlmmError, PluginOptions, Reward, RewardContext, Score
from finlmm_core.rewards.services import RewardServices
from finlmm_rewards.adversarial.buffer import Example, is_held_out
from finlmm_rewards.adversarial.corruptions import corrupted
from finlmm_rewards.adversarial.encoder import check_encoder
from finlmm_rewards.adversarial.options import AdversarialOptions
from finlmm_rewards.adversarial.reading import Reading, given_answer, read_thinking, reading

if TYPE_CHECKING:
    from finlmm_rewards.adversarial.learner import Learner


class Adversarial(Reward):
    """P(the answer is right) as a discriminator reads it from question and thinking, the final answer hidden.

    An encoder with mean and max pooling and a small head is trained on the policy's rollouts: every ``every`` observed
    batches, on a replay buffer, with the values of the reward ``label`` as labels. Before its first round of training
    it says None, and 0 for a completion without thinking from then on. Each question belongs either to training or to
    measuring; ``auc``, ``auc_within``, ``ece``, ``brier`` and ``corruption_auc/<kind>`` are of the latter. See
    docs/adversarial.md.
    """

    name = "adversarial"
    Options = AdversarialOptions
    options: AdversarialOptions
    learns = True

    def __init__(self, options: PluginOptions | None = None) -> None:
        super().__init__(options)
        self._device = "cpu"
        self._seed = 0
        self._broadcast: Callable[[Sequence[Any]], None] = lambda tensors: None
        self._built: Learner | None = None

    def check(self) -> None:
        """Raise where the libraries of training or the encoder are missing."""
        check_encoder(self.options.encoder)

    def prepare(self, services: RewardServices) -> None:
        """Make the discriminator where the run wants it.

        Raises:
            MissingExtraError: the libraries of training, or the package of the encoder 'minilm', are not installed.
            FinlmmError: the encoder could not be loaded.
        """
        self._device, self._seed, self._broadcast = services.device, services.seed, services.broadcast
        self._built = None
        _ = self.learner

    @property
    def learner(self) -> Learner:
        """The discriminator and all that it learned."""
        if self._built is None:
            self.check()
            from finlmm_rewards.adversarial.learner import Learner

            self._built = Learner(self.options, device=self._device, seed=self._seed, broadcast=self._broadcast)
        return self._built

    def score(self, batch: Sequence[RewardContext]) -> list[Score]:
        """Return P(right) for each completion; None before the first training and below ``least_auc``."""
        learner = self._built
        if learner is None or not learner.rounds or learner.observed < self.options.warm_steps:
            return [_NOT_TRAINED] * len(batch)
        if min(learner.auc or 0.0, learner.auc_within or 0.0) < self.options.least_auc:
            return [_NOT_GOOD] * len(batch)
        thinkings = [read_thinking(context) for context in batch]
        read = {
            place: self._reading(context, thinking)
            for place, (context, thinking) in enumerate(zip(batch, thinkings, strict=True))
            if thinking
        }
        said = dict(zip(read, learner.probabilities(list(read.values())), strict=True))
        return [Score(value=said[place]) if place in said else _NO_THINKING for place in range(len(batch))]

    def observe(self, batch: Sequence[RewardContext], scores: Mapping[str, Sequence[Score]]) -> dict[str, float]:
        """Keep the batch's rollouts with their labels, and train where it is time.

        Raises:
            FinlmmError: the reward that labels is not among those of the stage.
        """
        if self.options.label not in scores:
            raise FinlmmError(
                f"the reward 'adversarial' learns from '{self.options.label}', which is no reward of this stage.",
                hint=f"Add '{self.options.label}' to the stage's rewards (its weight may be 0), or set option label.",
            )
        training: list[Example] = []
        held_out: list[Example] = []
        learner = self.learner
        for place, (context, score) in enumerate(zip(batch, scores[self.options.label], strict=True)):
            thinking = read_thinking(context)
            if score.value is None or not thinking:
                continue
            right = score.value >= self.options.right_from
            read = self._reading(context, thinking)
            examples = [Example(*read, int(right), "", learner.rounds, context.group_id)]
            if right and self.options.corruptions:
                chance = random.Random(f"{self._seed}/{learner.observed}/{place}")
                examples += self._corrupted(context, thinking, examples[0], chance)
            (held_out if is_held_out(context.sample, self.options.held_out) else training).extend(examples)
        return learner.observe(training, held_out)

    def state_dict(self) -> dict[str, Any]:
        """Return weights, optimizer, buffers and sources of chance: tensors, numbers and strings."""
        return self.learner.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where ``state_dict`` was taken."""
        self.learner.load_state_dict(state)

    def _reading(self, context: RewardContext, thinking: str) -> Reading:
        return reading(
            context.sample,
            thinking,
            given_answer(context),
            read_options=self.options.read_options,
            marks=self.options.marks,
        )

    def _corrupted(
        self, context: RewardContext, thinking: str, original: Example, chance: random.Random
    ) -> list[Example]:
        """Return corrupted copies of a right thinking, as far as they read differently once the answer is hidden."""
        whole = int(self.options.corruptions)
        copies = whole + (chance.random() < self.options.corruptions - whole)
        found: list[Example] = []
        for kind, text in corrupted(thinking, context.sample, chance):
            if len(found) >= copies:
                break
            read = self._reading(context, text)
            if read.thinking != original.thinking:
                found.append(Example(*read, 0, kind, original.round, original.group))
        return found


_NOT_TRAINED = Score(value=None, reason="not_trained")
_NOT_GOOD = Score(value=None, reason="auc_too_low")
_NO_THINKING = Score(value=0.0, reason="no_thinking")
