"""From a trained model in memory to a folder that ``from_pretrained`` and vLLM load."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from finlmm_core import Loaded
from finlmm_core.hugging_face import no_progress_bars

#: Begins the names of folders that are being written, beside the folder they are to become.
_PREFIX = ".saving-"


def save_model(loaded: Loaded, model: Any, folder: Path, template: Any) -> None:
    """Write weights, configuration, generation settings, processor and chat template; the folder is whole or not there.

    Args:
        loaded: what the model was loaded as; its processor is saved.
        model: the trained module; adapters are merged into a copy of their weights, the module stays as it is.
        folder: replaced if it is there.
        template: the chat template that the model came with; trainers put their own in its place for their masks.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{_PREFIX}{folder.name}-*"):  # of a killed run
        shutil.rmtree(left)
    temporary = folder.parent / f"{_PREFIX}{folder.name}-{secrets.token_hex(4)}"
    try:
        base, weights = merged(model)
        with no_progress_bars():
            base.save_pretrained(temporary, state_dict=weights)
        _mend_config(temporary / "config.json")
        _save_processor(loaded, temporary, template)
        _share_and_flush(temporary)
        _replace(folder, temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def merged(model: Any) -> tuple[Any, dict[str, Any]]:
    """Return the transformers model inside, and its weights by their names there, with adapters merged in.

    An adapter adds ``scale * B @ A`` to the weight of its layer (LoRA, arXiv 2106.09685, section 4.1).
    """
    try:
        from peft import PeftModel
        from peft.tuners.lora import LoraLayer
    except ImportError:
        return model, model.state_dict()
    if not isinstance(model, PeftModel):
        return model, model.state_dict()
    base = model.get_base_model()
    weights = {
        name.replace(".base_layer.", "."): tensor for name, tensor in base.state_dict().items() if ".lora_" not in name
    }
    for name, layer in base.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        for adapter in layer.active_adapters:
            if adapter in layer.lora_A and adapter not in layer.merged_adapters:
                key = f"{name}.weight"
                delta = layer.get_delta_weight(adapter)
                weights[key] = (weights[key].float() + delta.float()).to(weights[key].dtype)
    return base, weights


def _mend_config(file: Path) -> None:
    """Take back what a trainer sets for itself: without a cache the saved model would generate slowly."""
    config = json.loads(file.read_text(encoding="utf-8"))
    for part in (config, config.get("text_config", {})):
        if part.get("use_cache") is False:
            part["use_cache"] = True
    file.write_text(json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def _save_processor(loaded: Loaded, folder: Path, template: Any) -> None:
    holders = [loaded.processor] if loaded.processor is loaded.tokenizer else [loaded.processor, loaded.tokenizer]
    before = [holder.chat_template for holder in holders]
    try:
        for holder in holders:
            holder.chat_template = template
        loaded.processor.save_pretrained(folder)
        if hasattr(loaded.processor, "image_processor"):
            # It stands in processor_config.json already; inference engines look for it under its older name.
            loaded.processor.image_processor.save_pretrained(folder)
    finally:
        for holder, own in zip(holders, before, strict=True):
            holder.chat_template = own


def _share_and_flush(folder: Path) -> None:
    """Wait until all files are on disk, so that a rename never names a folder that a power failure emptied.

    safetensors writes files that only their owner reads; they get the rights of the others.
    """
    rights = (folder / "config.json").stat().st_mode
    for file in folder.iterdir():
        file.chmod(rights)
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _replace(folder: Path, temporary: Path) -> None:
    if not folder.exists():
        temporary.rename(folder)
        return
    old = folder.parent / f"{_PREFIX}{folder.name}-old-{secrets.token_hex(4)}"
    folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old)
