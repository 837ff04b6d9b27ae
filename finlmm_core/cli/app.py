"""The command line. Heavy imports stand inside the commands, so that ``finlmm --help`` is instant."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import finlmm_core
from finlmm_core.cli import audit, compare, data, evaluate, inspect, models, new_plugin, rewards, train
from finlmm_core.errors import FinlmmError, disk_error
from finlmm_core.escapes import visible_text, without_secrets

app = typer.Typer(
    name="finlmm",
    help="Financial report PDFs into aligned image-question data, and that data into better reasoning models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
compare.add_commands(app)
data.add_commands(app)
audit.add_commands(app)
evaluate.add_commands(app)
inspect.add_commands(app)
models.add_commands(app)
new_plugin.add_commands(app)
rewards.add_commands(app)
train.add_commands(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"finlmm {finlmm_core.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; a mistake of the user's ends with its message and exit code 2."""
    from finlmm_core.plugins.manager import Plugins

    plugins = Plugins.load()
    plugins.add_commands(app)
    try:
        app(obj=plugins)
    except FinlmmError as error:
        typer.echo(f"finlmm: {visible_text(without_secrets(str(error)))}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        told = disk_error(error)
        if told is None and not isinstance(error, PermissionError):
            raise
        text = str(told) if told is not None else f"No permission for '{error.filename}'."
        typer.echo(f"finlmm: {visible_text(without_secrets(text))}", err=True)
        sys.exit(FinlmmError.exit_code)
    except KeyboardInterrupt:
        typer.echo("finlmm: stopped. Finished documents are kept; the same command goes on from here.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
