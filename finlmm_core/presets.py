"""Configurations that come with finlmm, by name."""

from __future__ import annotations

import difflib
from pathlib import Path

from finlmm_core.errors import FinlmmError

#: Beside the package in a clone, inside it in an installed wheel.
_FOLDERS = (Path(__file__).parents[1] / "configs", Path(__file__).parent / "configs")


def preset_names() -> list[str]:
    """Return the names of the presets, sorted."""
    return sorted({path.stem for folder in _FOLDERS for path in folder.glob("*.toml")})


def preset_path(name: str) -> Path:
    """Return the TOML file of a preset, or of a configuration given by its path.

    Raises:
        FinlmmError: there is neither such a preset nor such a file.
    """
    if name.endswith(".toml") or "/" in name:
        if Path(name).is_file():
            return Path(name)
        raise FinlmmError(f"--preset {name}: no such file.", hint=f"The presets are: {', '.join(preset_names())}.")
    for folder in _FOLDERS:
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    near = difflib.get_close_matches(name, preset_names(), n=1, cutoff=0.5)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    raise FinlmmError(
        f"--preset {name}: no such preset.{meant}",
        hint=f"The presets are: {', '.join(preset_names())}. A path to a TOML file will do as well.",
    )
