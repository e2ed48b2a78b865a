"""The command on this machine: `kit tune`."""

from typing import Annotated

import typer

from common.cli_options import DataDir, Experiment, Name, Overrides, RunsDir

Minutes = Annotated[float, typer.Option("--minutes", help="that the trials may take", min=0)]
BatchSize = Annotated[
    bool,
    typer.Option("--batch-size", help="also larger batches: they need another train.lr"),
]


def add_commands(app: typer.Typer) -> None:
    """Add it to the command line."""
    app.command()(tune)


def tune(
    competition: Name,
    overrides: Overrides = None,
    experiment: Experiment = "baseline",
    minutes: Minutes = 1.0,
    batch_size: BatchSize = False,
    data: DataDir = None,
    runs: RunsDir = None,
) -> None:
    """Find what trains fastest on this machine, and write it as a file for kit train: @FILE.

    Tries memory format, precision, compiler and reading processes on the competition's own data
    and model, and says what each of them changes beside the time.
    """
    from common.commands.tune import tune_experiment

    tune_experiment(competition, overrides or [], experiment, minutes, batch_size, data, runs)
