"""The commands that look at runs: `kit runs`, `kit diff`, `kit report`."""

from typing import Annotated

import typer

from common.cli_options import RunsDir


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command("runs")(list_runs)
    app.command()(diff)
    app.command()(report)


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
