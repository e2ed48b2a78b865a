"""The commands on several folds or runs: `kit oof`, `kit blend`, `kit soup`, `kit pseudo`."""

from typing import Annotated

import typer

from common.cli_options import DataDir, Name, PredictOverrides, RunsDir

Against = Annotated[
    str, typer.Option("--against", help="another experiment or blend, compared on the same samples")
]
ExperimentOrBlend = Annotated[
    str, typer.Option("--experiment", "-e", help="an experiment, all its folds, or a blend-NAME")
]
Public = Annotated[
    float, typer.Option("--public", help="share of the test set on the public leader board")
]
Members = Annotated[list[str] | None, typer.Option("--run", help="an experiment, all its folds")]
How = Annotated[
    str,
    typer.Option(
        help="which to keep: mean, rank, geometric, power, hill, optimise or stack; of boxes mean "
        "or optimise [the best]"
    ),
]
Weights = Annotated[str, typer.Option(help="of the members where none are tuned, such as 0.6,0.4")]


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(oof)
    app.command()(blend)
    app.command()(soup)
    app.command()(pseudo)


def oof(
    competition: Name,
    overrides: PredictOverrides = None,
    experiment: ExperimentOrBlend = "baseline",
    against: Against = "",
    public: Public = 0.3,
    tta: Annotated[
        bool, typer.Option("--tta", help="also: what each predict.tta adds, and costs")
    ] = False,
    parts: Annotated[
        bool,
        typer.Option(
            "--parts", help="masks: also tune the least area of a part, and score objects"
        ),
    ] = False,
    data: DataDir = None,
    runs: RunsDir = None,
) -> None:
    """Score the out-of-fold predictions of an experiment, and say how sure the score is."""
    from common.commands.oof import score_out_of_fold

    score_out_of_fold(
        competition, experiment, runs, public, against, tta, data, parts, overrides or []
    )


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


def soup(
    competition: Name,
    run: Annotated[
        list[str] | None, typer.Option("--run", help="a run, or an experiment: all its folds")
    ] = None,
    how: Annotated[str, typer.Option(help="greedy, or uniform: all of them")] = "greedy",
    best: Annotated[
        int, typer.Option(min=0, help="epochs of each run [of several runs 1, of one all it kept]")
    ] = 0,
    name: Annotated[str, typer.Option(help="of the experiment that it becomes")] = "soup",
    data: DataDir = None,
    runs: RunsDir = None,
) -> None:
    """Average the weights of runs, or of a run's best epochs (train.keep_best), fold by fold.

    The result is an experiment like any other: for kit oof, blend, predict and kernel pack.
    """
    from common.commands.soup import cook

    cook(competition, run or [], how, best, name, data, runs)


def pseudo(
    competition: Name,
    run: Annotated[
        str, typer.Option("--run", "--experiment", "-e", help="an experiment, all its folds")
    ] = "baseline",
    least: Annotated[
        float | None,
        typer.Option(help="probability from which a class, a pixel [0.95] or a box [0.7] is sure"),
    ] = None,
    top: Annotated[float, typer.Option(help="share of the images, the surest, kept")] = 1.0,
    doubt: Annotated[
        float | None,
        typer.Option(help="share of a picture's pixels [0.5] or boxes [0.33] that may be unsure"),
    ] = None,
    score: Annotated[
        str,
        typer.Option(help="of boxes, instead of --least: 0.6, or cat=0.6,dog=0.3..0.5 (unsure..)"),
    ] = "",
    soft: Annotated[
        bool, typer.Option("--soft/--hard", help="probabilities, or the likeliest class")
    ] = False,
    data: DataDir = None,
    runs: RunsDir = None,
) -> None:
    """Label the test images by the model of each fold, for training on them: data.pseudo=FILE.

    Each fold learns from the labels of its own model alone: that one never saw what the fold
    validates on. Boxes that are sure become labels, unsure pixels of masks count nowhere, pictures
    with too much doubt are left out.
    """
    from common.commands.pseudo import write_pseudo

    write_pseudo(competition, run, least, top, doubt, score, soft, data, runs)
