"""The command ``finlmm train``."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finlmm_core.cli.data import ConfigOption, JsonOption, OutOption, QuietOption, SeedOption, SetOption
from finlmm_core.errors import FinlmmError
from finlmm_core.escapes import visible_text

if TYPE_CHECKING:
    from finlmm_core.config import RunConfig
    from finlmm_core.plugins.manager import Plugins


def add_commands(app: typer.Typer) -> None:
    """Add the training command to the command line."""
    app.command()(train)


def train(
    context: typer.Context,
    config_file: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file with a [train] table.")],
    config: ConfigOption = None,
    settings: SetOption = None,
    out: OutOption = None,
    seed: SeedOption = None,
    stage: Annotated[
        str | None,
        typer.Option("--stage", metavar="NAME", help="Do this stage alone; the one before must be finished."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on from the last checkpoint, or begin a killed stage anew.")
    ] = True,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Redo stages whose options changed, and what follows.")
    ] = False,
    drop_bad: Annotated[
        bool, typer.Option("--drop-bad", help="Leave bad samples out, with a list of them, instead of refusing them.")
    ] = False,
    show: Annotated[
        int, typer.Option("--show", min=0, metavar="N", help="Print so many prompts of each stage with their answers.")
    ] = 0,
    profile: Annotated[
        int | None,
        typer.Option(
            "--profile", min=1, metavar="N", help="Time N steps and say where they went; the training is not touched."
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what the stages will cost: tokens, memory, what fits; train nothing.")
    ] = False,
    memory: Annotated[
        float | None,
        typer.Option("--memory", metavar="GB", help="With --plan: of a device; of the one here if not given."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a model on the samples of a run: warm-up, text stage, multi-image stage, as CONFIG says.

    Everything is checked before weights are loaded. A training that was killed goes on where it was with the same
    command. For several processes: accelerate launch -m finlmm_core.cli train CONFIG
    """
    from finlmm_core.config import load_config
    from finlmm_core.train.progress import make_train_progress
    from finlmm_core.train.stages import run_training
    from finlmm_core.train.summary import print_train_summary

    first = _first()
    overrides: dict[str, Any] = {"out": str(out) if out is not None else None, "seed": seed}
    command = shlex.join([_program(), *sys.argv[1:]])
    try:
        loaded = load_config([config_file, *(config or [])], settings or (), overrides, context.obj)
        _check_looks(profile, plan, memory)
        if plan:
            _plan(loaded, context.obj, stage, memory, as_json, quiet)
            return
        if profile is not None:
            _profile(loaded, context.obj, profile, stage, drop_bad, command, as_json, quiet)
            return
        with make_train_progress(quiet=quiet or as_json or not first) as progress:
            summary = run_training(
                loaded,
                context.obj,
                only_stage=stage,
                resume=resume,
                fresh=fresh,
                drop_bad=drop_bad,
                show=0 if quiet else show,
                events=progress,
                tell=lambda line: typer.echo(visible_text(line), err=as_json),
                command=command,
            )
    except FinlmmError as error:
        if first or error.exit_code != 2:
            raise
        raise typer.Exit(error.exit_code) from error  # a mistake in what was given: the first process tells of it
    except KeyboardInterrupt:
        if first:
            typer.echo(f"finlmm: stopped. What was saved is kept; go on with: {command}", err=True)
        raise typer.Exit(130) from None
    if not first:
        return
    if as_json:
        typer.echo(summary.model_dump_json())
    elif not quiet:
        print_train_summary(summary)


def _check_looks(profile: int | None, plan: bool, memory: float | None) -> None:
    """Refuse options that do not go together."""
    if plan and profile is not None:
        raise FinlmmError("--plan and --profile were both given.", hint="Profile first: the plan then knows seconds.")
    if memory is not None and not plan:
        raise FinlmmError("--memory was given without --plan.", hint="It says how much memory a plan is for.")
    if memory is not None and not memory > 0:
        raise FinlmmError(f"--memory {memory:g}: expected gigabytes above 0, such as 80.")


def _plan(
    config: RunConfig, plugins: Plugins, stage: str | None, memory: float | None, as_json: bool, quiet: bool
) -> None:
    """Say what stages will cost.

    Raises:
        FinlmmError: no setting of a stage would fit; it is told after what the stages cost.
    """
    from finlmm_core.train.cost.plan import plan_training
    from finlmm_core.train.cost.table import nothing_fits, print_plan

    plans = plan_training(config, plugins, only_stage=stage, memory=None if memory is None else memory * 1e9)
    if _first():
        if as_json:
            typer.echo(json.dumps([one.model_dump(mode="json") for one in plans]))
        elif not quiet:
            for one in plans:
                print_plan(one)
    impossible = [nothing_fits(one) for one in plans if not one.possible]
    if impossible:
        raise FinlmmError(
            "\n".join(impossible),
            hint="Take a smaller model, LoRA, bfloat16, an optimizer with smaller states, or activation_checkpointing.",
        )


def _profile(
    config: RunConfig,
    plugins: Plugins,
    steps: int,
    stage: str | None,
    drop_bad: bool,
    command: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Time steps of stages, and print where they went."""
    from finlmm_core.train.profile.result import PROFILE_FOLDER
    from finlmm_core.train.profile.run import run_profile
    from finlmm_core.train.profile.table import print_profile
    from finlmm_core.train.progress import make_train_progress

    first = _first()
    with make_train_progress(quiet=quiet or as_json or not first) as progress:
        found = run_profile(
            config, plugins, steps, only_stage=stage, drop_bad=drop_bad, events=progress, command=command
        )
    if not first:
        return
    if as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") for one in found]))
    elif not quiet:
        assert config.out is not None
        for one in found:
            print_profile(one, config.out / "train" / one.stage / PROFILE_FOLDER)


def _first() -> bool:
    """Return whether this is the first of several processes."""
    return int(os.environ.get("RANK", "0")) == 0


def _program() -> str:
    """Return how this program was started."""
    if Path(sys.argv[0]).name != "__main__.py":
        return Path(sys.argv[0]).name
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return "accelerate launch -m finlmm_core.cli" if several else "python -m finlmm_core.cli"
