"""Guessing a classification competition's layout from its files."""

from dataclasses import dataclass, field
from pathlib import Path

from common.commands.scaffold.cells import GRADES, are_grades, are_marks, are_one_hot, are_real
from common.commands.scaffold.files import fill, folders_of, named, quoted, read_rows, story
from common.commands.scaffold.kinds import CLASSES, HINT, NUMBERS, SEVERAL

HARD = (
    "    return pd.DataFrame({ID: predictions[IMAGE_ID], TARGET: probabilities.idxmax(axis=1)})\n"
)
SOFT = "    return pd.concat([predictions[IMAGE_ID].rename(ID), {}], axis=1)\n"


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
    soft: bool = False  # a column of probabilities per class instead of the class
    numbers: bool = False  # `classes` are columns of real numbers
    several: bool = False  # `classes` are columns of 0 and 1, any number of them 1 in a row
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
            "rules": "low=0, high=1" if self.soft or self.several else "choices=CLASSES",
            **self._kind,
        }

    @property
    def _kind(self) -> dict[str, str]:
        if self.numbers or self.several:
            return NUMBERS if self.numbers else SEVERAL
        return {**CLASSES, "target": HINT if self.grades else ""}

    @property
    def to_submission(self) -> str:
        """The last line of the generated data.py."""
        columns = self.soft or self.numbers or self.several
        return SOFT.format(self._kind["variable"]) if columns else HARD


def make_files(name: str, data: Path) -> tuple[dict[str, str], list[str]]:
    """Return the competition's files by name, and notes for the person."""
    layout = find_layout(data)
    values = {"name": name, **layout.values(name)}
    read = "data_folders.py" if layout.train_csv is None else "data_csv.py"
    read = "data_columns.py" if layout.numbers or layout.several else read
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
    if layout.numbers:
        return f"found real numbers in {names}: a regression, with metric rmse (see config.py)"
    if layout.several:
        return (
            f"found 0 and 1 in {names}, not always a single 1 in a row: any number of "
            f"{len(layout.classes)} classes per image, with metric mean_column_auc; if they are "
            "something else, mend classes, multilabel and metric in config.py and read_train in "
            "data.py"
        )
    said = f"found {len(layout.classes)} classes: {names}"
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
    layout.label_column = min(asked or distinct, key=lambda column: len(distinct[column]))
    numbers = tuple(c for c in asked or [layout.label_column] if are_real(distinct[c], len(rows)))
    layout.numbers = bool(numbers)
    layout.classes = numbers or tuple(sorted(distinct[layout.label_column]))
    layout.grades = are_grades(layout.classes)
    if are_marks({column: distinct[column] for column in asked or distinct}):
        _read_marks(rows, tuple(asked or distinct), layout)


def _read_marks(rows: list[dict[str, str]], columns: tuple[str, ...], layout: Layout) -> None:
    layout.several = not are_one_hot(rows, columns)
    if layout.several:
        layout.classes = columns
    else:
        layout.notes.append(
            f"one of {', '.join(columns)} alone is 1 in every row: if they are the classes, name "
            "them in config.py, and read the label in data.py by their idxmax"
        )


def _read_sample(path: Path, layout: Layout) -> None:
    if not path.exists():
        layout.notes.append(f"found no sample submission like '{path}'")
        return
    columns = list(read_rows(path)[0])
    if layout.train_csv is None:
        layout.id_column = columns[0]
    layout.soft = not layout.numbers and set(layout.classes) <= set(columns[1:])
    if layout.several and not layout.soft:
        layout.notes.append(
            "the sample submission has no column per class: mend to_submission in data.py"
        )
    if not layout.soft and layout.train_csv is None:
        layout.label_column = columns[-1]
    if columns[0] != layout.id_column:
        layout.notes.append(
            f"the sample names its id '{columns[0]}', the labels '{layout.id_column}': mend data.py"
        )


def read_columns(path: Path) -> list[str]:
    """Return the names of a csv's columns; none if there is no such file."""
    rows = read_rows(path, most=1) if path.exists() else []
    return list(rows[0]) if rows else []
