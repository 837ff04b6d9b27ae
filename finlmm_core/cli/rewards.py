"""Commands about rewards: the hack probe, and scoring kept completions again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from finlmm_core.rewards.probe import Probe, Row

rewards_app = typer.Typer(help="Probe rewards for hacks, or score a run's completions again.", no_args_is_help=True)

PresetOption = Annotated[
    str, typer.Option("--preset", metavar="NAME", help="A preset (tar, tar-release) or a TOML file with [train].")
]
StageOption = Annotated[str | None, typer.Option("--stage", metavar="NAME", help="This stage alone.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_commands(app: typer.Typer) -> None:
    """Add the command group to the command line."""
    app.add_typer(rewards_app, name="rewards")


@rewards_app.command()
def probe(
    context: typer.Context,
    preset: PresetOption = "tar",
    stage: StageOption = None,
    samples: Annotated[
        Path | None,
        typer.Option("--samples", metavar="FOLDER", help="A run's samples/ in place of the built-in questions."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Of --samples: so many of each stage.")] = 40,
    every: Annotated[bool, typer.Option("--all", help="Print a row for every kind of cheat.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Score cheating completions by a preset's rewards; exit code 1 if one earns more than an honest wrong answer."""
    from finlmm_core.rewards.probe import count_pieces, run_probe, without_learning
    from finlmm_core.rewards.probe_samples import probe_samples, stored_samples
    from finlmm_core.rewards.services import RewardServices
    from finlmm_core.rewards.stages import reward_stages, stage_rewards, train_config

    train = train_config(preset)
    outcomes: dict[str, Probe] = {}
    for one in reward_stages(train, stage):
        rewards, left_out = without_learning(*stage_rewards(one, context.obj, "train.stages"))
        rewards.prepare(RewardServices(plugins=context.obj, count_tokens=count_pieces, grader=train.grader))
        contrastive = one.samples == "contrastive"
        asked = probe_samples(contrastive) if samples is None else stored_samples(samples, one.samples, limit)
        outcomes[one.name] = run_probe(rewards, asked, left_out=left_out)
    if as_json:
        typer.echo(json.dumps({name: outcome.summary() for name, outcome in outcomes.items()}, ensure_ascii=False))
    else:
        for name, outcome in outcomes.items():
            _print_probe(f"{preset}, {name}", outcome, every)
    if not all(outcome.passed for outcome in outcomes.values()):
        raise typer.Exit(1)


def _print_probe(title: str, outcome: Probe, every: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from finlmm_core.rewards.probe import TOTAL

    console = Console()
    table = Table(title=Text(title), title_justify="left")
    table.add_column("completion", overflow="fold")
    for heading in (TOTAL, *outcome.rewards):
        table.add_column(heading, justify="right")
    table.add_column("wins in", overflow="fold")
    worth_showing = [
        row for row in outcome.rows if every or row.wins() or any(row.wins(reward) for reward in outcome.rewards)
    ]
    for row in (outcome.right, outcome.wrong, *sorted(worth_showing, key=lambda row: (-row.margin(), row.name))):
        winning = row.wins() if row in outcome.rows else []
        cells = [_cell(row, score, honest=row not in outcome.rows) for score in (TOTAL, *outcome.rewards)]
        table.add_row(Text(row.name), *cells, ", ".join(winning), style="red" if winning else None)
    console.print(table)
    hidden = len(outcome.rows) - len(worth_showing)
    console.print(
        f"{len(outcome.rows)} kinds of cheating, {outcome.wrong.samples} samples, honest thinking of up to "
        f"{outcome.thinking} characters. Means over samples; * earns more than the honest wrong answer in some group."
        + (f" {hidden} kinds that gain nothing by any reward are not shown (--all)." if hidden else "")
    )
    if outcome.left_out:
        console.print(
            f"Left out of the total, because they learn during training and say nothing before: "
            f"{', '.join(outcome.left_out)}."
        )
    if not outcome.right.wins():
        console.print("FAILED: a right answer earns no more than a wrong one.", style="red")
    if outcome.winners:
        console.print(
            f"FAILED: {len(outcome.winners)} kinds of cheating earn more than an honest wrong answer.", style="red"
        )
    elif outcome.passed:
        console.print("passed: no kind of cheating earns more than an honest wrong answer.", style="green")


def _cell(row: Row, score: str, honest: bool) -> str:
    mean = row.means[score].get("all")
    if mean is None:
        return "-"
    return f"{mean:.3f}{'*' if not honest and row.wins(score) else ''}"
