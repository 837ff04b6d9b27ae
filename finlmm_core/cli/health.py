"""What ``finlmm doctor`` looks at."""

from __future__ import annotations

import os
import platform
from typing import Literal, NamedTuple

from finlmm_core.errors import FinlmmError
from finlmm_core.plugins.bases import KINDS
from finlmm_core.plugins.manager import Plugins


class Finding(NamedTuple):
    """One thing looked at: ``missing`` is optional and absent, ``broken`` needs mending."""

    what: str
    status: Literal["ok", "missing", "broken"]
    detail: str


def examine(plugins: Plugins) -> list[Finding]:
    """Return what works on this machine and what does not."""
    import psutil

    import finlmm_core

    memory = psutil.virtual_memory()
    findings = [
        Finding("finlmm", "ok", f"{finlmm_core.__version__}, Python {platform.python_version()}"),
        Finding("system", "ok", platform.platform()),
        Finding("machine", "ok", f"{os.cpu_count()} cores, {memory.total / 2**30:.0f} GiB memory"),
    ]
    for kind in KINDS:
        for found in plugins.found(kind):
            what = f"{kind} {found.plugin.name}"
            try:
                plugin = found.plugin()
                plugin.check()
            except FinlmmError as error:
                findings.append(Finding(what, "missing", str(error).replace("\n  ", " ")))
            except ValueError as error:  # an option without a default: it can be used, but not looked at
                findings.append(Finding(what, "ok", f"needs options: {error}".splitlines()[0]))
            else:
                findings.append(Finding(what, "ok", found.origin))
    findings += [Finding(failure.origin, "broken", failure.reason) for failure in plugins.failures]
    return findings
