"""The parts of the samples step: splits, duplicates, distractors, balance, parquet, card.

The step itself, and all that other code needs of it, is in ``finlmm_core.steps.samples``.
"""
