"""The commands that end on Kaggle: `kit kernel pack|rehearse|push`, `kit submit`, `kit download`.

Their bodies lie in the folder kernels/, which is no package (its name is another library's); see
`common.kernels_folder`.
"""

from pathlib import Path
from typing import Annotated

import typer

from common.cli_options import DataDir, Experiment, Name, Overrides, RunPaths, RunsDir

Packed = Annotated[
    Path | None, typer.Option("--packed", help="folder of kit kernel pack [runs/<name>/packed]")
]
Owner = Annotated[str, typer.Option("--owner", help="Kaggle user [KAGGLE_USERNAME, kaggle.json]")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="print each request, send none")]
Train = Annotated[bool, typer.Option("--train", help="the kernel that trains")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="follow it to its end")]

kernel = typer.Typer(help="Pack, rehearse and push what runs on Kaggle.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.add_typer(kernel, name="kernel")
    app.command()(submit)
    app.command()(download)


@kernel.command()
def pack(
    competition: Name,
    overrides: Overrides = None,
    run: RunPaths = None,
    train: Train = False,
    experiment: Experiment = "baseline",
    fold: Annotated[str, typer.Option(help="of the training kernel: number, or all")] = "0",
    owner: Owner = "",
    notebook: Annotated[bool, typer.Option(help="a notebook instead of a script")] = False,
    wheels: Annotated[
        Path | None, typer.Option(help="folder of wheels instead of the package index")
    ] = None,
    packed: Packed = None,
    runs: RunsDir = None,
) -> None:
    """Write the kernel, its code embedded, and the data sets of wheels and checkpoints."""
    from common.kernels_folder import kernels

    packer, chosen = kernels("packing.pack"), overrides or []
    if train:
        packer.pack_training(
            competition, chosen, experiment, fold, owner, notebook, wheels, packed, runs
        )
    else:
        packer.pack_prediction(
            competition, chosen, run or [], owner, notebook, wheels, packed, runs
        )


@kernel.command()
def rehearse(
    competition: Name,
    packed: Packed = None,
    data: DataDir = None,
    runs: RunsDir = None,
    hidden: Annotated[
        int, typer.Option(help="images of the hidden test set [kernel.hidden_images]")
    ] = 0,
) -> None:
    """Run the packed kernel as Kaggle would, on the public and a hidden test set.

    Exit code 1: Kaggle would have refused it.
    """
    from common.kernels_folder import kernels

    kernels("rehearsal.rehearse").rehearse(competition, packed, data, runs, hidden)


@kernel.command()
def push(
    competition: Name,
    packed: Packed = None,
    train: Train = False,
    dry_run: DryRun = False,
    wait: Wait = True,
    runs: RunsDir = None,
) -> None:
    """Upload what changed, run the kernel, follow its run and fetch its output.

    Exit code 1: the run failed.
    """
    from common.kernels_folder import kernels

    kernels("service.push").push(competition, packed, train, dry_run, wait, runs)


def submit(
    competition: Name,
    file: Annotated[
        Path | None, typer.Option(help="a file to submit, instead of the pushed kernel")
    ] = None,
    version: Annotated[int, typer.Option(help="of the kernel [the one pushed last]")] = 0,
    message: Annotated[str, typer.Option("--message", "-m", help="[the runs' names]")] = "",
    run: Annotated[
        list[str] | None, typer.Option("--run", help="that predicted the file; its score is noted")
    ] = None,
    packed: Packed = None,
    data: DataDir = None,
    dry_run: DryRun = False,
    wait: Wait = True,
    runs: RunsDir = None,
) -> None:
    """Submit the pushed kernel or a file, wait for its score and note it beside the runs.

    What was submitted before is not submitted again. Exit code 1: it could not be scored.
    """
    from common.kernels_folder import kernels

    kernels("service.submit").submit(
        competition, file, version, message, run or [], packed, data, runs, dry_run, wait
    )


def download(competition: Name, data: DataDir = None, dry_run: DryRun = False) -> None:
    """Fetch and unpack the competition's data; goes on where it was interrupted."""
    from common.kernels_folder import kernels

    kernels("service.download").download(competition, data, dry_run)
