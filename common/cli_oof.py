"""The commands that read out-of-fold predictions: `kit oof`, `kit blend`."""

from typing import Annotated

import typer

from common.cli_options import DataDir, Experiment, Name, RunsDir

Against = Annotated[
    str, typer.Option("--against", help="another experiment, compared on the same samples")
]
Public = Annotated[
    float, typer.Option("--public", help="share of the test set on the public leader board")
]
Members = Annotated[list[str] | None, typer.Option("--run", help="an experiment, all its folds")]
How = Annotated[
    str,
    typer.Option(
        help="which to keep: mean, rank, geometric, power, hill, optimise or stack [the best]"
    ),
]
Weights = Annotated[str, typer.Option(help="of the members where none are tuned, such as 0.6,0.4")]


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(oof)
    app.command()(blend)


def oof(
    competition: Name,
    experiment: Experiment = "baseline",
    against: Against = "",
    public: Public = 0.3,
    tta: Annotated[
        bool, typer.Option("--tta", help="also: what each predict.tta adds, and costs")
    ] = False,
    data: DataDir = None,
    runs: RunsDir = None,
) -> None:
    """Score the out-of-fold predictions of an experiment, and say how sure the score is."""
    from common.commands.oof import score_out_of_fold

    score_out_of_fold(competition, experiment, runs, public, against, tta, data)


def blend(
    competition: Name,
    run: Members = None,
    how: How = "",
    weights: Weights = "",
    name: Annotated[str, typer.Option(help="keep it as blend-NAME [its way]")] = "",
    runs: RunsDir = None,
) -> None:
    """Blend experiments by their out-of-fold predictions; gains are nested by fold."""
    from common.commands.blend import blend_experiments

    blend_experiments(competition, run or [], how, weights, name, runs)
