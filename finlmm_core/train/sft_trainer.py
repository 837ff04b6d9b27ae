"""TRL's SFTTrainer with what finlmm needs of it; see ``Careful`` for the overrides that both methods share."""

from __future__ import annotations

from typing import Any

import trl

from finlmm_core.train.grpo_trainer import Careful


class WarmUpTrainer(Careful, trl.SFTTrainer):
    """SFTTrainer that resumes from full weights as well, and stops at a loss that is no number."""

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        """Return the loss; transformers would hide one that is no number behind the mean of those before."""
        found = super().compute_loss(*args, **kwargs)
        self.check_loss(found[0] if isinstance(found, tuple) else found)
        return found
