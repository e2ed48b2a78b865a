"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(metavar="COMPETITION", help="folder under competitions/")]
DataDir = Annotated[
    Path | None, typer.Option("--data", help="folder of the raw files [KIT_DATA, data/<name>]")
]
RunsDir = Annotated[
    Path | None, typer.Option("--runs", help="folder of all runs [KIT_RUNS, runs/]")
]
Experiment = Annotated[str, typer.Option("--experiment", "-e", help="name in EXPERIMENTS")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE...|@FILE", help="such as train.epochs=8, or a file of them"),
]
Gpus = Annotated[
    int, typer.Option(min=0, help="of this machine, with a process each; 0 = all there are")
]
PredictOverrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="such as predict.tta=d4")
]
RunPaths = Annotated[
    list[str] | None, typer.Option("--run", help="competition/experiment/fold<k>, or a folder")
]
