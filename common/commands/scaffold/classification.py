"""Guessing a classification competition's layout from its files."""

from dataclasses import dataclass, field
from pathlib import Path

from common.commands.scaffold.files import fill, folders_of, named, quoted, read_rows, story

HARD = (
    "    return pd.DataFrame({ID: predictions[IMAGE_ID], TARGET: probabilities.idxmax(axis=1)})\n"
)
SOFT = "    return pd.concat([predictions[IMAGE_ID].rename(ID), probabilities], axis=1)\n"


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
            "rules": "low=0, high=1" if self.soft else "choices=CLASSES",
        }

    @property
    def to_submission(self) -> str:
        """The last line of the generated data.py."""
        return SOFT if self.soft else HARD


def make_files(name: str, data: Path) -> tuple[dict[str, str], list[str]]:
    """Return the competition's files by name, and notes for the person."""
    layout = find_layout(data)
    values = {"name": name, "metric": "accuracy", **layout.values(name)}
    read = "data_folders.py" if layout.train_csv is None else "data_csv.py"
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
        _read_table(data / train, layout)
    elif class_folders:
        layout.train_csv = None
        layout.classes = tuple(sorted(path.name for path in class_folders))
    else:
        layout.notes.append(f"found neither a csv of labels nor a folder per class in '{data}'")
    _read_sample(data / layout.sample_csv, layout)
    layout.notes.append(f"found {len(layout.classes)} classes: {', '.join(layout.classes[:12])}")
    return layout


def _read_table(path: Path, layout: Layout) -> None:
    rows = read_rows(path)
    columns = list(rows[0]) if rows else []
    if len(columns) < 2:
        layout.notes.append(f"expected columns of id and label in '{path}', found {columns}")
        return
    layout.id_column = columns[0]
    # The label is the column with the fewest different values.
    distinct = {column: {row[column] for row in rows} for column in columns[1:]}
    layout.label_column = min(distinct, key=lambda column: len(distinct[column]))
    layout.classes = tuple(sorted(distinct[layout.label_column]))


def _read_sample(path: Path, layout: Layout) -> None:
    if not path.exists():
        layout.notes.append(f"found no sample submission like '{path}'")
        return
    columns = list(read_rows(path)[0])
    if layout.train_csv is None:
        layout.id_column = columns[0]
    layout.soft = set(layout.classes) <= set(columns[1:])
    if not layout.soft and layout.train_csv is None:
        layout.label_column = columns[-1]
    if columns[0] != layout.id_column:
        layout.notes.append(
            f"the sample names its id '{columns[0]}', the labels '{layout.id_column}': mend data.py"
        )
