"""The commands that read out-of-fold predictions: `kit oof`."""

from typing import Annotated

import typer

from common.cli_options import Experiment, Name, RunsDir

Against = Annotated[
    str, typer.Option("--against", help="another experiment, compared on the same samples")
]
Public = Annotated[
    float, typer.Option("--public", help="share of the test set on the public leader board")
]


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(oof)


def oof(
    competition: Name,
    experiment: Experiment = "baseline",
    against: Against = "",
    public: Public = 0.3,
    runs: RunsDir = None,
) -> None:
    """Score the out-of-fold predictions of an experiment, and say how sure the score is."""
    from common.commands.oof import score_out_of_fold

    score_out_of_fold(competition, experiment, runs, public, against)
