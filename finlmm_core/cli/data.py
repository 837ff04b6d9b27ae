"""Commands of the data side: build, its single steps, run, and synth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ConfigOption = Annotated[
    list[Path] | None, typer.Option("-c", "--config", help="TOML file; more than once, a later one wins.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="One option, such as parse.parser=pdfminer.")
]
OutOption = Annotated[Path | None, typer.Option("-o", "--out", help="Folder of the run, new or to be gone on with.")]
EngineOption = Annotated[str | None, typer.Option("--engine", help="processes (default), serial or ray.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", "-j", help="Processes; as many as cores by default.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Of sampling, splits and shuffles.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Redo steps whose options changed, and what follows.")]
RetryOption = Annotated[
    bool, typer.Option("--retry", help="Try reports again that a limit, a crash or an error set aside.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
ReportsArgument = Annotated[Path | None, typer.Argument(help="Folder of PDF reports, or one PDF.", show_default=False)]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)]


def add_commands(app: typer.Typer) -> None:
    """Add the data commands to the command line."""
    app.command()(build)
    app.command()(parse)
    app.command()(generate)
    app.command()(align)
    app.command()(samples)
    app.command()(report)
    app.command(name="run")(run_config)
    app.command()(synth)


def build(
    context: typer.Context,
    reports: ReportsArgument = None,
    out: OutOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    seed: SeedOption = None,
    fresh: FreshOption = False,
    retry: RetryOption = False,
    audit: Annotated[bool | None, typer.Option("--audit/--no-audit", help="Measure the samples at the end.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn a folder of PDF reports into an aligned image-question dataset with its report page.

    A build that was killed goes on where it was with the same command.
    """
    overrides = {**_overrides(reports, out, engine, workers, seed), "audit": {"enabled": audit}}
    _run(context, "parse", "report", config, settings, overrides, fresh, as_json, quiet, retry)


def parse(
    context: typer.Context,
    reports: ReportsArgument = None,
    out: OutOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    fresh: FreshOption = False,
    retry: RetryOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read PDF reports: text blocks, figures, tables, captions."""
    overrides = _overrides(reports, out, engine, workers, None)
    _run(context, "parse", "parse", config, settings, overrides, fresh, as_json, quiet, retry)


def generate(
    context: typer.Context,
    run: RunArgument,
    config: ConfigOption = None,
    settings: SetOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    fresh: FreshOption = False,
    retry: RetryOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write questions from the parsed text of a run."""
    overrides = _overrides(None, run, engine, workers, None)
    _run(context, "generate", "generate", config, settings, overrides, fresh, as_json, quiet, retry)


def align(
    context: typer.Context,
    run: RunArgument,
    config: ConfigOption = None,
    settings: SetOption = None,
    engine: EngineOption = None,
    workers: WorkersOption = None,
    fresh: FreshOption = False,
    retry: RetryOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find for each question of a run the one figure that it is about."""
    overrides = _overrides(None, run, engine, workers, None)
    _run(context, "align", "align", config, settings, overrides, fresh, as_json, quiet, retry)


def samples(
    context: typer.Context,
    run: RunArgument,
    config: ConfigOption = None,
    settings: SetOption = None,
    seed: SeedOption = None,
    fresh: FreshOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the training samples of a run: text-only and multi-image contrastive, as parquet with a card."""
    overrides = _overrides(None, run, None, None, seed)
    _run(context, "samples", "samples", config, settings, overrides, fresh, as_json, quiet)


def report(
    context: typer.Context,
    run: RunArgument,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the report page of a run: yield, gallery of samples, rejections by reason."""
    overrides = _overrides(None, run, None, None, None)
    _run(context, "report", "report", config, settings, overrides, False, as_json, quiet)


def run_config(
    context: typer.Context,
    config_file: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file with 'reports' and 'out'.")],
    first: Annotated[
        str, typer.Option("--from", help="First step: parse, generate, align, samples, report.")
    ] = "parse",
    last: Annotated[str, typer.Option("--to", help="Last step.")] = "report",
    config: ConfigOption = None,
    settings: SetOption = None,
    out: OutOption = None,
    fresh: FreshOption = False,
    retry: RetryOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run steps of a configuration file, from one to another."""
    files = [config_file, *(config or [])]
    _run(context, first, last, files, settings, _overrides(None, out, None, None, None), fresh, as_json, quiet, retry)


def synth(
    out: Annotated[Path, typer.Argument(help="Folder for the PDFs and truth.json.", show_default=False)],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many reports.")] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 0,
    pages: Annotated[
        int | None, typer.Option("--pages", min=1, help="End each report after the section that reaches so many pages.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Make synthetic annual reports with exact ground truth: charts, tables, prose, scans, noise."""
    from finlmm_core.cli.console import make_progress
    from finlmm_core.synth import make_reports

    with make_progress(quiet=quiet) as progress:
        progress.begin("synth", count)
        summary = make_reports(
            out, count=count, seed=seed, pages=pages, progress=lambda done, total: progress.advance("synth")
        )
        progress.end("synth")
    if not quiet:
        typer.echo(
            f"{summary.reports} reports of {summary.companies} companies ({summary.chinese} in Chinese) in {out}: "
            f"{summary.pages} pages, {summary.charts} charts, {summary.tables} tables, "
            f"{summary.scanned_pages} scanned pages; truth.json has every box and cell"
        )


def _overrides(
    reports: Path | None, out: Path | None, engine: str | None, workers: int | None, seed: int | None
) -> dict[str, Any]:
    return {
        "reports": str(reports) if reports is not None else None,
        "out": str(out) if out is not None else None,
        "seed": seed,
        "engine": {"name": engine, "workers": workers},
    }


def _run(
    context: typer.Context,
    first: str,
    last: str,
    config: list[Path] | None,
    settings: list[str] | None,
    overrides: dict[str, Any],
    fresh: bool,
    as_json: bool,
    quiet: bool,
    retry: bool = False,
) -> None:
    from finlmm_core.cli.console import make_progress, print_summary
    from finlmm_core.config import load_config
    from finlmm_core.errors import FinlmmError
    from finlmm_core.steps.plan import STEPS
    from finlmm_core.steps.runner import run_steps
    from finlmm_core.store.remote_run import begun_config

    for option, step in (("--from", first), ("--to", last)):
        if step not in STEPS:
            raise FinlmmError(f"{option} {step}: unknown step.", hint=f"The steps are: {', '.join(STEPS)}.")
    out = overrides.get("out")
    # A later step of a run goes on with what the run was begun with.
    with begun_config(Path(out) if first != STEPS[0] and out is not None else None) as begun:
        loaded = load_config([*begun, *(config or [])], settings or (), overrides, context.obj)
    progress = make_progress(quiet=quiet or as_json)
    with progress:
        summary = run_steps(loaded, context.obj, first=first, last=last, fresh=fresh, retry=retry, progress=progress)
    if as_json:
        typer.echo(summary.model_dump_json())
    elif not quiet:
        print_summary(summary)
    if summary.audit is not None and (summary.audit.failed or not (as_json or quiet)):
        for violation in summary.audit.violations:
            typer.echo(f"finlmm: {violation.text}", err=True)
        if summary.audit.failed:
            raise typer.Exit(1)
