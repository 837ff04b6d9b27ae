"""Commands about rewards: the hack probe, and scoring kept completions again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from finlmm_core.rewards.probe import Probe, Row
    from finlmm_core.rewards.replay import Replayed

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


@rewards_app.command()
def replay(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a trained run.", show_default=False)],
    preset: PresetOption = "tar",
    stage: StageOption = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", metavar="FOLDER", help="The samples/ that the run was trained on.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.svg", help="Write a picture.")] = None,
    show: Annotated[int, typer.Option("--show", min=0, help="Print so many of the most changed completions.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Score the completions of a run again with another preset's rewards, and tell what would have changed."""
    from finlmm_core.rewards.replay import replay_stage, sample_index
    from finlmm_core.rewards.replay_plot import write_plot
    from finlmm_core.rewards.services import RewardServices
    from finlmm_core.rewards.stages import kept_stages, matching_stage, samples_folder, stage_rewards, train_config
    from finlmm_core.store.images import ImageStore

    train = train_config(preset)
    chosen = [(name, folder, matching_stage(train, name)) for name, folder in kept_stages(run, stage)]
    images = ImageStore(run / "images")
    outcomes = []
    for _, folder, other in chosen:
        rewards, weights = stage_rewards(other, context.obj, "train.stages")
        services = RewardServices(plugins=context.obj, images=images, grader=train.grader)
        index = sample_index(samples or samples_folder(run), [other.samples])
        outcomes.append(replay_stage(folder, index, rewards, weights, services, show=show))
    if plot is not None:
        write_plot(outcomes, plot)
    if as_json:
        typer.echo(json.dumps([outcome.summary() for outcome in outcomes], ensure_ascii=False))
        return
    for (name, _, other), outcome in zip(chosen, outcomes, strict=True):
        _print_replay(f"{run}, {name} under {preset}, {other.name}", outcome)
    if plot is not None:
        typer.echo(f"plot: {plot}")


def _print_replay(title: str, outcome: Replayed) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(title=Text(title), title_justify="left")
    table.add_column("mean of")
    table.add_column("run", justify="right")
    table.add_column("replay", justify="right")
    for name in dict.fromkeys([*outcome.means_before, *outcome.means_after]):
        values = (outcome.means_before.get(name), outcome.means_after.get(name))
        table.add_row(name, *("-" if value is None else f"{value:.3f}" for value in values))
    console.print(table)
    correlations = (outcome.rank_correlation, outcome.rank_correlation_in_groups)
    overall, within = ("none" if value is None else f"{value:.3f}" for value in correlations)
    console.print(
        f"{outcome.completions} completions in {outcome.groups} groups. Rank correlation of totals: {overall}, within "
        f"groups {within}. Advantages: {outcome.flips:.1%} turn their sign, {outcome.lost:.1%} vanish, "
        f"{outcome.gained:.1%} appear."
    )
    if outcome.unknown_samples:
        console.print(f"{outcome.unknown_samples} completions were left out: their samples are not in the folder.")
    if outcome.kept:
        console.print(f"Kept from the run, because they learn: {', '.join(outcome.kept)}.")
    if outcome.left_out:
        console.print(f"Left out, because they learn and the run did not have them: {', '.join(outcome.left_out)}.")
    for change in outcome.most_changed:
        console.print(
            Text(
                f"\n{change.before:.3f} -> {change.after:.3f}  step {change.step}, sample {change.sample_id}: "
                f"{change.question[:150]}\n  {' '.join(change.completion.split())[:300]}"
            )
        )
