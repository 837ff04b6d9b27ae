"""What a process that tests are forked off imports beforehand: it takes seconds, once."""

from finlmm_core.torchvision_shim import ensure_torchvision

ensure_torchvision()

import finlmm_core.train.grpo_callbacks  # noqa: E402
import finlmm_core.train.grpo_trainer  # noqa: E402, F401
