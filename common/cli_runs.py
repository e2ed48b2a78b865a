"""The commands on several runs: `kit sweep`, `kit runs`, `kit diff`, `kit report`."""

from typing import Annotated

import typer

from common.cli_options import DataDir, Experiment, Name, RunsDir


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(sweep)
    app.command("runs")(list_runs)
    app.command()(diff)
    app.command()(report)


def sweep(
    competition: Name,
    space: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=A,B,C|KEY=LOW..HIGH|KEY=VALUE...",
            help="choices, a range (of decimals over a factor of 10: by logarithm), or one value",
        ),
    ] = None,
    experiment: Experiment = "baseline",
    fold: Annotated[str, typer.Option(help="number, or all: prunes after each fold")] = "0",
    trials: Annotated[int, typer.Option(help="that the study has in the end, of all workers")] = 20,
    name: Annotated[str, typer.Option(help="of the study [sweep-EXPERIMENT]")] = "",
    storage: Annotated[
        str,
        typer.Option(
            envvar="KIT_STORAGE", help="URL of a database [sqlite:///<runs>/<name>/sweeps.db]"
        ),
    ] = "",
    wandb: Annotated[bool, typer.Option("--wandb", help="by W&B instead of Optuna")] = False,
    wandb_sweep: Annotated[str, typer.Option(help="id of a W&B sweep to work on as well")] = "",
    method: Annotated[str, typer.Option(help="of W&B: bayes, random or grid")] = "bayes",
    data: DataDir = None,
    runs: RunsDir = None,
) -> None:
    """Search for the best config by Optuna; the same command goes on, also several at a time.

    Each trial is a run of its own, NAME-<number>. The last line trains the best one. With --wandb
    the service draws the values; other machines work on it by --wandb-sweep ID alone.
    """
    if wandb or wandb_sweep:
        from common.commands.sweep_wandb import sweep_by_wandb

        where = (method, wandb_sweep, data, runs)
        sweep_by_wandb(competition, space or [], experiment, fold, trials, *where)
        return
    from common.commands.sweep import sweep_experiment

    sweep_experiment(competition, space or [], experiment, fold, trials, name, storage, data, runs)


def list_runs(
    competition: Annotated[str | None, typer.Argument(help="only this one")] = None,
    sort: Annotated[str, typer.Option("--sort", help="metric, the best first [by age]")] = "",
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", help="such as model.name=resnet18 or 'accuracy>0.9'; all must hold"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object per run")] = False,
    runs: RunsDir = None,
) -> None:
    """List all runs with their scores."""
    from common.commands.runs import print_runs

    print_runs(competition, as_json, runs, sort, where or [])


def diff(run: str, other: str, runs: RunsDir = None) -> None:
    """Show in which config values and scores two runs differ."""
    from common.commands.runs import print_difference

    print_difference(run, other, runs)


def report(run: str, runs: RunsDir = None) -> None:
    """Write a run's report.html anew and say where it is."""
    from common.commands.runs import write_run_report

    write_run_report(run, runs)
