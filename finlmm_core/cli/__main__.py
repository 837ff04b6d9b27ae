"""``python -m finlmm_core.cli``: what ``accelerate launch -m finlmm_core.cli train CONFIG`` starts in each process."""

from finlmm_core.cli.app import main

main()
