"""Training: a run's samples through an optional supervised warm-up and GRPO stages into a better reasoning model."""
