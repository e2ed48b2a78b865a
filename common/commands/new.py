"""kit new."""

from pathlib import Path
from string import Template

from common.commands.layout import Layout, find_layout
from common.competition import competitions_dir
from common.environment import default_data_dir
from common.errors import KitError

TASKS = ("classification",)
TEMPLATES = Path(__file__).parent / "templates"


def make_competition(name: str, task: str, given: Path | None) -> None:
    """Write `competitions/<name>/`, filled in from the data folder where that can be read."""
    if task not in TASKS:
        raise KitError(f"expected --task of {', '.join(TASKS)}, got '{task}'")
    if not name.isidentifier():
        raise KitError(f"expected a name that Python can import, such as my_task, got '{name}'")
    folder = competitions_dir() / name
    if folder.exists():
        raise KitError(f"expected a new name, but '{folder}' exists; it is left as it is")
    data = given or default_data_dir(name)
    layout = find_layout(data)
    folder.mkdir()
    for file, text in render(name, layout).items():
        (folder / file).write_text(text)
    print(f"wrote {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    print("\n".join(layout.notes))
    print(f"next: kit check {name} --data {data}, then kit train {name} --data {data}")


def render(name: str, layout: Layout) -> dict[str, str]:
    """Return the files of a classification competition, by name."""
    title = name.replace("_", " ").capitalize()
    values = {"name": name, "title": title, "metric": "accuracy", **layout.values(name)}
    read = "data_folders" if layout.train_csv is None else "data_csv"
    return {
        "__init__.py": f'"""{title}."""\n',
        "config.py": _fill("config.py", values),
        "data.py": _fill(f"{read}.py", values)
        + _fill("data_test.py", values)
        + layout.to_submission,
        "train.py": _fill("train.py", values),
        "predict.py": _fill("predict.py", values),
        "README.md": _fill("README.md", values),
    }


def _fill(file: str, values: dict[str, str]) -> str:
    text = (TEMPLATES / "classification" / f"{file}.template").read_text()
    return Template(text).substitute(values)
