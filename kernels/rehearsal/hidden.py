"""A hidden test set made of the public one: more images, other names and sizes, one of them broken.

What Kaggle mounts for scoring differs from what is public. A kernel that has learnt names, counts
or sizes of the public images by heart, or stops at a file that cannot be read, fails here first.
"""

import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count as counter
from pathlib import Path, PurePosixPath
from types import ModuleType

import pandas as pd
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from common.data.stored import member_of
from common.errors import KitError
from common.keys import IMAGE_ID, PATH

FEWEST_MORE = 6  # images that are added to a small test set; to a large one, half of it
RESIZED = 24  # images that get another size; the others are links, so that it stays quick
SIZES = ((0.75, 0.75), (1.25, 1.0), (1.0, 1.0), (0.6, 1.1))  # of width and height, in turn
LARGEST_TABLE = 1e8  # bytes of a csv that is looked through for ids


@dataclass(frozen=True)
class HiddenTest:
    """What was made: a tree that replaces files of the data, how many images, which is broken."""

    folder: Path
    count: int
    broken: str


def make_hidden(
    data: ModuleType, public: Path, folder: Path, seed: int = 0, more: int = 0
) -> HiddenTest:
    """Write the hidden test set's files below `folder`, in the competition's layout.

    Args:
        data: the competition's data.py; its `hidden_ids(ids, count)`, where there is one, says
            what new images are called.
        public: the competition's data; untouched.
        more: images at least that are added.

    Raises:
        KitError: the files are not called after the ids, or lie in shards; no table lists them all.
    """
    test = data.read_test(public)
    ids, paths = test[IMAGE_ID].tolist(), list(map(Path, test[PATH]))
    if member := next(filter(None, map(member_of, paths)), None):
        raise KitError(
            f"expected test images in files of their own, as Kaggle mounts them, got the shard "
            f"'{member.shard}'; rehearse on the data that kit shards was given"
        )
    count = len(ids) + max(len(ids) // 2, FEWEST_MORE, more)
    invent = getattr(data, "hidden_ids", None) or (lambda old, n: invent_ids(old, n, seed))
    new_ids = invent(ids, count)
    models = [number % len(ids) for number in range(count)]  # which image each is made of
    broken = count // 2
    for number, (new_id, model) in enumerate(zip(new_ids, models, strict=True)):
        path = _new_path(public, folder, paths[model], ids[model], new_id)
        resized = number < RESIZED or number == broken
        _write_image(paths[model], path, SIZES[number % len(SIZES)] if resized else None)
        if number == broken:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _copy_others(public, folder, paths)
    _rewrite_tables(data, public, folder, ids, [ids[model] for model in models], new_ids)
    return HiddenTest(folder, count, new_ids[broken])


def invent_ids(ids: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """Return new ids of the same form: other digits, of the same number, hexadecimal or decimal."""
    rng, taken, found = random.Random(seed), set(ids), []
    for number in range(count):
        model = ids[number % len(ids)]
        tries = (_vary(model, rng, "0" * (attempt // 100)) for attempt in counter())
        found.append(next(new for new in tries if new not in taken))  # longer if it has too few
        taken.add(found[-1])
    return found


def _vary(image_id: str, rng: random.Random, more: str) -> str:
    place = PurePosixPath(image_id)
    suffix = place.suffix if re.fullmatch(r"\.[A-Za-z]\w*", place.suffix) else ""
    stem = place.name.removesuffix(suffix) + more
    hexadecimal = re.fullmatch(r"[0-9a-f]*[a-f][0-9a-f]*", stem) is not None
    kind, alphabet = ("[0-9a-f]", "0123456789abcdef") if hexadecimal else (r"\d", "0123456789")
    return str(place.with_name(re.sub(kind, lambda _: rng.choice(alphabet), stem) + suffix))


def _new_path(public: Path, folder: Path, path: Path, old_id: str, new_id: str) -> Path:
    old, new = PurePosixPath(old_id).name, PurePosixPath(new_id).name
    if path.name not in (old, old + path.suffix) or public not in path.parents:
        raise KitError(
            f"expected a file called '{old}', got '{path}'; a hidden test "
            "set can only be made where files are called after their ids"
        )
    if path.parent == public:
        raise KitError(f"expected test images in a folder of their own, got '{path}'; move them")
    name = new if path.name == old else new + path.suffix
    place = folder / path.relative_to(public).with_name(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _write_image(source: Path, path: Path, scale: tuple[float, float] | None) -> None:
    """Write the image at another size, in its format and quality; None: as it is, by a link."""
    if scale is None:
        path.symlink_to(source.resolve())
        return
    try:
        with Image.open(source) as image:
            width, height = (
                max(1, round(side * by)) for side, by in zip(image.size, scale, strict=True)
            )
            options = _options(image)
            resized = image.resize((width, height), Image.Resampling.NEAREST)
            resized.save(path, image.format, **options)
    except (OSError, ValueError, UnidentifiedImageError):  # a format that Pillow does not write
        shutil.copyfile(source, path)


def _options(image: Image.Image) -> dict[str, object]:
    """Return what keeps a JPEG's compression as it is."""
    if image.format != "JPEG":
        return {}
    sampling = JpegImagePlugin.get_sampling(image)
    return {"qtables": image.quantization, "subsampling": sampling}


def _copy_others(public: Path, folder: Path, paths: Sequence[Path]) -> None:
    """Copy what lies beside the test images and is none, such as a file that describes them."""
    images = set(paths)
    for parent in {path.parent for path in paths}:
        place = folder / parent.relative_to(public)
        for file in parent.iterdir():
            if file not in images and file.is_file() and not (place / file.name).exists():
                shutil.copyfile(file, place / file.name)


def _rewrite_tables(
    data: ModuleType,
    public: Path,
    folder: Path,
    ids: Sequence[str],
    models: Sequence[str],
    new_ids: Sequence[str],
) -> None:
    """Write every csv at the top that lists all test images anew, the sample submission first."""
    tables = [file for file in public.glob("*.csv") if file.stat().st_size <= LARGEST_TABLE]
    written = [
        file.name for file in tables if _rewrite(file, folder / file.name, ids, models, new_ids)
    ]
    sample = data.sample_submission(public) if hasattr(data, "sample_submission") else None
    if sample is not None and sample.name not in written:
        raise KitError(
            f"expected every test image's id in a column of '{sample}', found no such column; "
            "a hidden test set cannot be made of it"
        )


def _rewrite(
    file: Path, out: Path, ids: Sequence[str], models: Sequence[str], new_ids: Sequence[str]
) -> bool:
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    wanted = set(ids)
    column = next((name for name in table.columns if wanted <= set(table[name])), None)
    if column is None:
        return False
    old = pd.DataFrame({column: models, "new": new_ids})
    rows = old.merge(table, on=column, how="left").assign(**{column: lambda frame: frame["new"]})
    others = table[~table[column].isin(wanted)]
    pd.concat([others, rows[table.columns]]).to_csv(out, index=False, lineterminator="\n")
    return True
