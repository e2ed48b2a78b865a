"""A segmentation competition: images with a folder of masks, or a csv of run-length code."""

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
from common.keys import IGNORE

MASK_WORDS = ("mask", "gt", "label", "annotation")
LOOKED_AT = 20  # masks whose values tell the classes
CODE = set("0123456789 ")
PLAIN_CONFIG = ("Config", "DataConfig", "ModelConfig", "TrainConfig")
OBJECT_CONFIG = (
    "Config",
    "DataConfig",
    "MaskConfig",
    "ModelConfig",
    "PredictConfig",
    "TrainConfig",
)
OBJECTS = """\
    # watershed parts what touches; kit oof --parts scores both and tunes threshold and least area
    predict=PredictConfig(masks=MaskConfig(instances="components")),
"""


@dataclass
class Layout:
    """Names of files, folders and columns; what could not be found keeps the usual name."""

    train_images: str = "train"
    test_images: str = "test"
    masks: str = "train_masks"
    ending: str = ""  # between a mask's id and its suffix
    code_csv: str = ""  # of run-length code, where there is no folder of masks
    code_column: str = "EncodedPixels"
    sample_csv: str = "sample_submission.csv"
    id_column: str = "ImageId"
    target_column: str = "EncodedPixels"
    classes: tuple[str, ...] = ("object",)
    stems: bool = True  # whether ids are files' names without their suffix
    instances: bool = False  # a row of the submission per object instead of per image
    ignore: int = 0  # value of masks of one class where nothing is known; 0: there is none
    notes: list[str] = field(default_factory=list)


def make_files(name: str, data: Path) -> tuple[dict[str, str], list[str]]:
    """Return the competition's files by name, and notes for the person."""
    layout = find_layout(data)
    values = {
        **{key: str(value) for key, value in vars(layout).items()},
        "name": name,
        "classes": quoted(layout.classes),
        "metric": "iou" if len(layout.classes) == 1 else "class_iou",
        "watch": '("dice_per_image",)' if len(layout.classes) == 1 else '("class_accuracy",)',
        "rules": ", unique_ids=False" if layout.instances else "",
        "give_ending": f', "{layout.ending}"' if layout.ending else "",
        "import_encode": "check_rle, " + ("encode_instances" if layout.instances else "encode"),
        "import_config": ", ".join(OBJECT_CONFIG if layout.instances else PLAIN_CONFIG),
        "objects": OBJECTS if layout.instances else "",
        "ignore": f", ignore={layout.ignore}" if layout.ignore else "",
    }
    read = "data_codes.py" if layout.code_csv else "data_masks.py"
    rows = "rows_instances.py" if layout.instances else "rows_images.py"
    parts = [fill("segmentation", part, values) for part in (read, "data_test.py", rows)]
    return {**story("segmentation", name, values), "data.py": "".join(parts)}, layout.notes


def find_layout(data: Path) -> Layout:
    """Read csv headers, folder names and a few masks; notes say what is still to be checked."""
    layout = Layout()
    folders = folders_of(data)
    layout.masks = next(filter(None, (named(folders, word, "") for word in MASK_WORDS)), "")
    images = [folder for folder in folders if folder.name != layout.masks]
    layout.train_images = named(images, "train", layout.train_images)
    layout.test_images = named(images, "test", layout.test_images)
    tables = sorted(data.glob("*.csv"))
    layout.sample_csv = named(tables, "sample", layout.sample_csv)
    for table in tables:
        if "sample" not in table.name.lower():
            _read_codes(table, layout)
    if layout.masks:
        layout.code_csv = ""
        _read_masks(data, layout)
    elif not layout.code_csv:
        layout.masks = "train_masks"
        layout.notes.append(f"found neither a folder of masks nor a csv of codes in '{data}'")
    _read_sample(data / layout.sample_csv, layout)
    layout.notes.append(f"found {len(layout.classes)} classes: {', '.join(layout.classes[:12])}")
    return layout


def _read_codes(path: Path, layout: Layout) -> None:
    rows = read_rows(path)
    for column in rows[0] if rows else ():
        texts = [row[column] or "" for row in rows]
        if all(set(text) <= CODE for text in texts) and any(text.count(" ") > 2 for text in texts):
            layout.code_csv, layout.code_column = path.name, column
            layout.id_column = next(iter(rows[0]))
            layout.instances = len({row[layout.id_column] for row in rows}) < len(rows)


def _read_masks(data: Path, layout: Layout) -> None:
    from common.data.masks import read_mask_file

    files = [file for file in sorted((data / layout.masks).iterdir()) if file.suffix in IMAGES]
    stems = {file.stem for file in (data / layout.train_images).glob("*")}
    example = files[0].stem if files else ""
    stem = max((stem for stem in stems if example.startswith(stem)), key=len, default=example)
    layout.ending = example.removeprefix(stem)
    values = {int(value) for file in files[:LOOKED_AT] for value in set(read_mask_file(file).flat)}
    if values >= {1, IGNORE} and values <= {0, 1, IGNORE}:
        layout.ignore = IGNORE
        layout.notes.append(f"{IGNORE} in the masks is taken for unknown: mend data.ignore")
    values.discard(IGNORE)
    if max(values, default=0) > 1:
        count = max(values) + 1
        layout.classes = ("background", *(f"class_{number}" for number in range(1, count)))
        layout.notes.append("classes are named after the values of the masks: mend config.py")


def _read_sample(path: Path, layout: Layout) -> None:
    if not path.exists():
        layout.notes.append(f"found no sample submission like '{path}'")
        return
    row = first_row(path)
    layout.id_column, *_, layout.target_column = list(row)
    layout.stems = Path(row[layout.id_column]).suffix not in IMAGES
