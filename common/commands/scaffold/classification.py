"""Guessing a classification competition's layout from its files."""

from dataclasses import dataclass, field
from pathlib import Path

from common.commands.scaffold.cells import GRADES, are_grades, are_marks, are_one_hot, are_real
from common.commands.scaffold.files import (
    fill,
    first_row,
    folders_of,
    named,
    quoted,
    read_rows,
    story,
)
from common.commands.scaffold.kinds import COLUMNS, HINT, KINDS, RANGE, Kind, KindName
from common.commands.scaffold.words import labels_of, separator_of


@dataclass
class Layout:
    """Names of files, folders and columns; what could not be found keeps the usual name."""

    train_csv: str | None = "train.csv"
    train_images: str = "train"
    test_images: str = "test"
    sample_csv: str = "sample_submission.csv"
    id_column: str = "image_id"
    label_column: str = "label"
    classes: tuple[str, ...] = ("first", "second")
    kind: KindName = "label"
    separator: str = ""  # of several labels in one cell
    soft: bool = False  # a column of probabilities per class instead of the class
    grades: bool = False  # `classes` may be grades
    notes: list[str] = field(default_factory=list)

    def values(self, name: str) -> dict[str, str]:
        """Return what the templates fill in."""
        return {
            "train_csv": self.train_csv or "",
            "train_images": self.train_images,
            "test_images": self.test_images,
            "sample_csv": self.sample_csv,
            "id_column": self.id_column,
            "label_column": self.label_column,
            "classes": quoted(self.classes),
            "import_classes": ""
            if self.soft
            else f"from competitions.{name}.config import CLASSES\n",
            "class_list": ", ".join(self.classes),
            "separator": self.separator,
            "rules": RANGE if self.soft else "choices=CLASSES",
            **self.what.values,
            **({"target": HINT} if self.grades else {}),
        }

    @property
    def what(self) -> Kind:
        """What is written for the kind of target."""
        return KINDS[self.kind]

    @property
    def to_submission(self) -> str:
        """The last line of the generated data.py."""
        return COLUMNS if self.soft else self.what.to_submission


def make_files(name: str, data: Path) -> tuple[dict[str, str], list[str]]:
    """Return the competition's files by name, and notes for the person."""
    layout = find_layout(data)
    values = {"name": name, **layout.values(name)}
    read = "data_folders.py" if layout.train_csv is None else layout.what.reader
    text = fill("classification", read, values) + fill("classification", "data_test.py", values)
    files = story("classification", name, values)
    return {**files, "data.py": text + layout.to_submission}, layout.notes


def find_layout(data: Path) -> Layout:
    """Read csv headers and folder names below `data`; notes say what is still to be checked."""
    layout = Layout()
    folders = folders_of(data)
    layout.train_images = named(folders, "train", layout.train_images)
    layout.test_images = named(folders, "test", layout.test_images)
    tables = sorted(data.glob("*.csv"))
    layout.sample_csv = named(tables, "sample", layout.sample_csv)
    train = named(tables, "train", "")
    class_folders = [path for path in (data / layout.train_images).glob("*") if path.is_dir()]
    if train:
        layout.train_csv = train
        _read_table(data / train, data / layout.sample_csv, layout)
    elif class_folders:
        layout.train_csv = None
        layout.classes = tuple(sorted(path.name for path in class_folders))
    else:
        layout.notes.append(f"found neither a csv of labels nor a folder per class in '{data}'")
    _read_sample(data / layout.sample_csv, layout)
    layout.notes.append(_recognised(layout))
    return layout


def _recognised(layout: Layout) -> str:
    names = ", ".join(layout.classes[:12])
    said = layout.what.found.format(count=len(layout.classes), names=names)
    if layout.kind != "label":
        return said
    if layout.grades:
        said += '; if these are grades, set target="ordinal" in config.py'
    if len(layout.classes) > GRADES.stop and all(name.isdecimal() for name in layout.classes):
        said += (
            f'; if these are amounts, set target="regression", classes=("{layout.label_column}",) '
            "in config.py and read them by check_values of common/data/targets.py in data.py"
        )
    return said


def _read_table(path: Path, sample: Path, layout: Layout) -> None:
    rows = read_rows(path)
    columns = list(rows[0]) if rows else []
    if len(columns) < 2:
        layout.notes.append(f"expected columns of id and label in '{path}', found {columns}")
        return
    layout.id_column = columns[0]
    distinct = {column: {row[column] for row in rows} for column in columns[1:]}
    asked = [c for c in read_columns(sample) if c in distinct]  # else the fewest different values
    marks = tuple(asked or distinct)
    if are_marks({column: distinct[column] for column in marks}):
        layout.kind = "one_hot" if are_one_hot(rows, marks) else "marks"
        layout.classes = marks
        return
    layout.label_column = min(asked or distinct, key=lambda column: len(distinct[column]))
    numbers = tuple(c for c in asked or [layout.label_column] if are_real(distinct[c], len(rows)))
    if numbers:
        layout.kind, layout.classes = "numbers", numbers
        return
    cells = distinct[layout.label_column]
    layout.separator = separator_of(cells)
    layout.kind = "words" if layout.separator else "label"
    layout.classes = labels_of(cells, layout.separator)
    layout.grades = layout.kind == "label" and are_grades(layout.classes)


def _read_sample(path: Path, layout: Layout) -> None:
    if not path.exists():
        layout.notes.append(f"found no sample submission like '{path}'")
        return
    columns = read_columns(path)
    if layout.train_csv is None:
        layout.id_column = columns[0]
    asked = set(columns[1:]) & set(layout.classes)
    if layout.kind in ("marks", "one_hot") and not asked:
        layout.notes.append(
            f"the sample submission has no column per class, but {columns[1:]}: mend to_submission "
            "in data.py"
        )
    layout.soft = layout.kind == "label" and set(layout.classes) <= set(columns[1:])
    if not layout.soft and layout.train_csv is None:
        layout.label_column = columns[-1]
    if columns[0] != layout.id_column:
        layout.notes.append(
            f"the sample names its id '{columns[0]}', the labels '{layout.id_column}': mend data.py"
        )


def read_columns(path: Path) -> list[str]:
    """Return the names of a csv's columns; none if there is no such file."""
    return list(first_row(path)) if path.exists() else []
