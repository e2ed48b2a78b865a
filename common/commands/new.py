"""kit new."""

from pathlib import Path

from common.commands.scaffold import classification, detection, segmentation
from common.competition import competitions_dir
from common.environment import default_data_dir
from common.errors import KitError, did_you_mean

TASKS = {
    "classification": classification.make_files,
    "segmentation": segmentation.make_files,
    "detection": detection.make_files,
}


def make_competition(name: str, task: str, given: Path | None) -> None:
    """Write `competitions/<name>/`, filled in from the data folder where that can be read."""
    if task not in TASKS:
        raise KitError(
            f"expected --task of {', '.join(TASKS)}, got '{task}'; {did_you_mean(task, TASKS)}"
        )
    if not name.isidentifier():
        raise KitError(f"expected a name that Python can import, such as my_task, got '{name}'")
    folder = competitions_dir() / name
    if folder.exists():
        raise KitError(f"expected a new name, but '{folder}' exists; it is left as it is")
    data = given or default_data_dir(name)
    if given and not given.is_dir():
        raise KitError(f"expected a folder at --data '{given}', found none; mend or leave it out")
    files, notes = TASKS[task](name, data)
    if not data.is_dir():
        notes = [f"no data in '{data}' yet: names in config.py and data.py are guesses"]
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    print(f"wrote {folder}: {', '.join(sorted(files))}")
    print("\n".join(notes))
    print(f"next: kit check {name} --data {data}, then kit train {name} --data {data}")
