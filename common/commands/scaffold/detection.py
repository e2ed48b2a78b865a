"""A detection competition: a csv with a row per box, and a submission of texts of boxes."""

from dataclasses import dataclass, field
from pathlib import Path

from common.commands.scaffold.files import (
    IMAGES,
    fill,
    first_row,
    folders_of,
    named,
    quoted,
    read_rows,
    story,
)

CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("x_min", "y_min", "x_max", "y_max"),
)
SIDES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
LABEL_WORDS = ("label", "class", "category", "name")
LABELLED = 6  # words of a box in a submission that starts with its class


@dataclass
class Layout:
    """Names of files, folders and columns; what could not be found keeps the usual name."""

    train_csv: str = "train.csv"
    train_images: str = "train"
    test_images: str = "test"
    sample_csv: str = "sample_submission.csv"
    id_column: str = "image_id"
    target_column: str = "PredictionString"
    box_columns: tuple[str, ...] = ("bbox",)
    corners: bool = False  # right and bottom instead of width and height
    label_column: str = ""
    classes: tuple[str, ...] = ("object",)
    stems: bool = True  # whether ids are files' names without their suffix
    labelled: bool = False  # whether a box in the submission starts with its class
    notes: list[str] = field(default_factory=list)

    @property
    def boxes(self) -> str:
        """The line of data.py that reads the boxes."""
        if len(self.box_columns) == 1:
            return f'xywh_to_xyxy(parse_bboxes(table, "{self.box_columns[0]}"))'
        numbers = f"number_columns(table, {quoted(self.box_columns)})"
        return numbers if self.corners else f"xywh_to_xyxy({numbers})"


def make_files(name: str, data: Path) -> tuple[dict[str, str], list[str]]:
    """Return the competition's files by name, and notes for the person."""
    layout = find_layout(data)
    several = bool(layout.label_column)
    needed = [*layout.box_columns, *([layout.label_column] if several else [])]
    boxes, known = layout.boxes, ("number_columns", "parse_bboxes")
    values = {
        **{key: str(value) for key, value in vars(layout).items()},
        "name": name,
        "classes": quoted(layout.classes),
        "columns": ", ".join(f'"{column}"' for column in needed),
        "read_boxes": boxes,
        "imports": ", ".join(["attach_boxes", *(word for word in known if word in boxes)]),
        "import_xywh": "from common.data.boxes import xywh_to_xyxy\n" if "xywh" in boxes else "",
        "import_labels": ", check_labels" if several else "",
        "metric": "coco_map_50" if several else "cross_tuned_wheat_score",
        "watch": '("coco_map",)',
        "attach": fill("detection", "attach_labels.py" if several else "attach.py", vars(layout)),
        "least": "" if several else ", least=confidence_of(checkpoints)",
        "import_predict": "stream_boxes" if several else "confidence_of, stream_boxes",
        "check": "partial(check_boxes, with_labels=True, names=CLASSES)  # label conf x y w h ..."
        if layout.labelled
        else "check_boxes  # conf x y w h ...",
        "import_partial": "from functools import partial\n" if layout.labelled else "",
        "import_classes": f"from competitions.{name}.config import CLASSES\n"
        if layout.labelled
        else "",
        "cell": "format_boxes(row.boxes, row.scores, row.labels, names=CLASSES)"
        if layout.labelled
        else "format_boxes(row.boxes, row.scores)",
    }
    return {
        **story("detection", name, values),
        "data.py": fill("detection", "data.py", values),
    }, layout.notes


def find_layout(data: Path) -> Layout:
    """Read csv headers and folder names below `data`; notes say what is still to be checked."""
    layout = Layout()
    folders, tables = folders_of(data), sorted(data.glob("*.csv"))
    layout.train_images = named(folders, "train", layout.train_images)
    layout.test_images = named(folders, "test", layout.test_images)
    layout.sample_csv = named(tables, "sample", layout.sample_csv)
    layout.train_csv = named(tables, "train", layout.train_csv)
    if (data / layout.train_csv).exists():
        _read_table(data / layout.train_csv, layout)
    else:
        layout.notes.append(f"found no csv of boxes like '{data / layout.train_csv}'")
    if (data / layout.sample_csv).exists():
        _read_sample(data / layout.sample_csv, layout)
    else:
        layout.notes.append(f"found no sample submission like '{data / layout.sample_csv}'")
    layout.notes.append(f"found {len(layout.classes)} classes: {', '.join(layout.classes[:12])}")
    return layout


def _read_table(path: Path, layout: Layout) -> None:
    rows = read_rows(path)
    columns = list(rows[0]) if rows else []
    lower = {column.lower(): column for column in columns}
    layout.id_column = columns[0] if columns else layout.id_column
    for names in (("bbox",), ("box",), *CORNERS, *SIDES):
        if set(names) <= set(lower):
            layout.box_columns = tuple(lower[name] for name in names)
            layout.corners = names in CORNERS
            break
    else:
        layout.notes.append(f"found no columns of boxes among {columns} of '{path}': mend data.py")
    found = [lower[column] for column in lower if any(word in column for word in LABEL_WORDS)]
    if found:
        layout.label_column = found[0]
        layout.classes = tuple(sorted({row[found[0]] for row in rows} - {""}))


def _read_sample(path: Path, layout: Layout) -> None:
    row = first_row(path)
    columns = list(row)
    layout.target_column = columns[-1]
    layout.stems = Path(row[columns[0]]).suffix not in IMAGES
    words = row[columns[-1]].split()
    layout.labelled = bool(words) and len(words) % LABELLED == 0
    if columns[0] != layout.id_column:
        layout.notes.append(
            f"the sample names its id '{columns[0]}', the boxes '{layout.id_column}': mend data.py"
        )
