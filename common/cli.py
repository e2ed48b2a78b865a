"""The command line: `kit COMMAND`.

Bodies are imported when a command runs, so that help is quick.
"""

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from common import cli_kernels, cli_oof, cli_runs, cli_tune
from common.cli_options import (
    DataDir,
    Experiment,
    Gpus,
    Name,
    Overrides,
    PredictOverrides,
    RunPaths,
    RunsDir,
)
from common.errors import KitError

pythons_format = warnings.formatwarning

app = typer.Typer(
    help="From a competition's raw files to a valid, scored submission.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich takes longer than all else that help needs
    context_settings={"max_content_width": 110},
)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="folder to make under competitions/")],
    task: Annotated[
        str, typer.Option(help="classification, segmentation or detection")
    ] = "classification",
    data: DataDir = None,
) -> None:
    """Make a new competition; looks into its data, if there is any, to fill in the layout."""
    from common.commands.new import make_competition

    make_competition(name, task, data)


@app.command()
def demo(competition: Name, data: DataDir = None) -> None:
    """Write a small data set in the competition's exact layout, offline."""
    from common.commands.demo import write_demo

    write_demo(competition, data)


@app.command()
def shards(
    competition: Name,
    out: Annotated[
        Path | None, typer.Option(help="folder to make [the data folder's name and -shards]")
    ] = None,
    mb: Annotated[int, typer.Option(min=1, help="megabytes of a shard, at most")] = 512,
    data: DataDir = None,
) -> None:
    """Write the data anew with its images in tar shards: few large files instead of many small."""
    from common.commands.shards import shard_data

    shard_data(competition, data, out, mb * 1e6)


@app.command()
def check(
    competition: Name,
    overrides: Overrides = None,
    experiment: Experiment = "baseline",
    model: Annotated[
        bool, typer.Option("--model/--no-model", help="also: does the model learn a batch by heart")
    ] = True,
    deep: Annotated[
        bool, typer.Option("--deep", help="also: train shortly on shuffled labels, to find leaks")
    ] = False,
    data: DataDir = None,
    runs: RunsDir = None,
    submission: Annotated[Path | None, typer.Option(help="a csv file to validate")] = None,
) -> None:
    """Check data and model before a long run, or a submission before an attempt is spent.

    Exit code 1: a run cannot succeed (files that cannot be read, a loss that is not finite or does
    not fall); 2: the data cannot be read at all. Warnings leave it at 0.
    """
    from common.commands.check import check_data, check_submission_file

    if submission:
        check_submission_file(competition, data, submission)
    else:
        check_data(competition, data, runs, experiment, overrides or [], model, deep)


@app.command()
def folds(
    competition: Name,
    experiment: Experiment = "baseline",
    data: DataDir = None,
    runs: RunsDir = None,
    force: Annotated[bool, typer.Option(help="make them anew; old runs do not fit them")] = False,
) -> None:
    """Write the folds once; every training reuses them."""
    from common.commands.folds import write_folds

    write_folds(competition, experiment, data, runs, force)


@app.command()
def train(
    competition: Name,
    overrides: Overrides = None,
    experiment: Experiment = "baseline",
    fold: Annotated[str, typer.Option(help="number, or all")] = "0",
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run that exists")
    ] = False,
    name: Annotated[
        str, typer.Option(help="store under this name instead of the experiment's")
    ] = "",
    data: DataDir = None,
    runs: RunsDir = None,
    gpus: Gpus = 1,
) -> None:
    """Train one fold or all of them; processes with one runs folder share the folds of `all`."""
    from common.commands.train import train_folds
    from common.launch import launched

    if launched(gpus):
        return
    train_folds(competition, overrides or [], experiment, fold, resume, name, data, runs)


@app.command()
def predict(
    competition: Name,
    overrides: PredictOverrides = None,
    run: RunPaths = None,
    out: Annotated[
        Path | None, typer.Option(help="the file to write [submission.csv, or what data.py says]")
    ] = None,
    data: DataDir = None,
    runs: RunsDir = None,
    gpus: Gpus = 1,
) -> None:
    """Predict the test set with one or more runs (default: the newest) and validate the result."""
    from common.commands.predict import predict_test
    from common.launch import launched

    if launched(gpus):
        return
    predict_test(competition, overrides or [], run or [], out, data, runs)


cli_tune.add_commands(app)
cli_oof.add_commands(app)
cli_runs.add_commands(app)
cli_kernels.add_commands(app)


def format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Return our own warnings as a line for the person, others as Python writes them."""
    if category is UserWarning and "site-packages" not in filename:
        return f"warning: {message}\n"
    return pythons_format(message, category, filename, lineno, line)


def main() -> None:
    """Run the command line: a person's mistake is one line and exit code 2, a bug a traceback."""
    warnings.formatwarning = format_warning
    warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)  # timm's, at every import
    try:
        app()
    except KitError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
