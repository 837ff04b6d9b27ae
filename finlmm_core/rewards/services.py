"""What a run offers its rewards: models, images, a token counter, and the other processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from finlmm_core.plugins.bases import ModelBackend
    from finlmm_core.plugins.manager import Plugins
    from finlmm_core.plugins.refs import PluginRef
    from finlmm_core.store.images import ImageStore


def _keep(tensors: Sequence[Any]) -> None:
    """Do nothing: with one process there is nobody to agree with."""


@dataclass(frozen=True)
class RewardServices:
    """Handed to ``Reward.prepare``.

    Attributes:
        plugins: where models are looked up, see ``model``.
        images: where ``sample.images`` are read; None where a run has text only.
        count_tokens: tokens of a text by the policy's tokenizer; None outside of training.
        grader: profile of the grader that this run uses, see docs/grading.md.
        device: where a reward's own model should live, such as 'cpu' or 'cuda:0'.
        seed: of the run; a reward that draws at random makes its own generator from it.
        rank: number of this process, 0 for the first.
        world_size: how many processes there are.
        broadcast: overwrites tensors in place with those of the first process, so that all hold the same to the bit.
    """

    plugins: Plugins
    images: ImageStore | None = None
    count_tokens: Callable[[str], int] | None = None
    grader: str = "finlmm"
    device: str = "cpu"
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    broadcast: Callable[[Sequence[Any]], None] = field(default=_keep)

    def model(self, ref: PluginRef, path: str = "model") -> ModelBackend:
        """Return a model backend by reference; ConfigError names the given config path where there is none."""
        return cast("ModelBackend", self.plugins.create("model", ref, path))
