"""What a run begins with: its folder, its reports, its options, and whether it was begun otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finlmm_core.config import RunConfig
from finlmm_core.errors import FinlmmError
from finlmm_core.steps.document_steps import DocumentStep
from finlmm_core.steps.plan import STEPS, changed_options
from finlmm_core.steps.remote_sources import find_remote_sources
from finlmm_core.steps.sources import Sources, find_sources, read_sources
from finlmm_core.store.remote import url_of
from finlmm_core.store.remote_run import RemoteRunFolder, working_copy
from finlmm_core.store.run import RunFolder


def open_run(config: RunConfig, out: Path) -> RunFolder:
    """Return the run's folder, or the working copy of a run at a URL with what is there."""
    urls = [url for url in (url_of(out), url_of(config.reports)) if url is not None]
    for url in urls:
        if url.startswith("memory:") and config.engine.name != "serial":
            raise FinlmmError(f"'{url}' is in the memory of one process; give another store, or --engine serial.")
    there = url_of(out)
    if there is None:
        return RunFolder(out)
    run = RemoteRunFolder(there, working_copy(there, config.working_copy))
    run.pull()
    return run


def sources_of(config: RunConfig, run: RunFolder, first: str) -> Sources:
    """Return the reports of a run, as its parse step finds them or, where it begins later, wrote them down."""
    if first != STEPS[0]:
        return read_sources(run.path)
    if config.reports is None:
        raise FinlmmError("No reports were given.", hint="Give a folder of PDFs, or 'reports' in the config.")
    if (url := url_of(config.reports)) is not None:
        return find_remote_sources(url)
    return find_sources(config.reports, run.path)


def resolved_options(
    config: RunConfig, document_steps: Sequence[DocumentStep], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return the options of each step, as they enter its key."""
    options = {step.name: step.fingerprint for step in document_steps}
    if "samples" in names:
        options["samples"] = {**config.samples.model_dump(mode="json"), "seed": config.seed}
    if "report" in names:
        options["report"] = config.report.model_dump(mode="json")
    return options


def stale_steps(run: RunFolder, names: Sequence[str], options: dict[str, dict[str, Any]], fresh: bool) -> list[str]:
    """Return the steps to be done again because their options changed; refuse that unless ``fresh``."""
    problems: list[str] = []
    changed: list[str] = []
    for name in names:
        before = run.begun_with(name)
        if before is None or name == "report":  # the report page is made anew each time
            continue
        lines = changed_options(before, options[name], name)
        if lines:
            changed.append(name)
            problems += lines
    if not changed:
        return []
    if not fresh:
        raise FinlmmError(
            f"'{run.path}' was begun with other options:\n    " + "\n    ".join(problems),
            hint=f"Add --fresh to redo {', '.join(changed)} and what follows, or give another folder.",
        )
    return list(STEPS[STEPS.index(changed[0]) :])
