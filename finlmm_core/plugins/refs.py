"""How a config names a plugin."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PluginRef(BaseModel):
    """A plugin by name, with its options. In a config either ``"pdfium"`` or ``{name = "pdfium", options = {...}}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="name of an installed plugin, see `finlmm plugins`")
    options: dict[str, Any] = Field(default={}, description="its options, see `finlmm plugins show NAME`")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class WeightedPluginRef(PluginRef):
    """A plugin with the weight that this run gives to its score."""

    weight: float = Field(default=1.0, ge=0, description="share of its score in the sum, relative to the others")
