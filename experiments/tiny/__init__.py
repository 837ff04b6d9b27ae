"""A small world for learning experiments on a CPU: charts, a dataset of them in the project's format, and a model."""
