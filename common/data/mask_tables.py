"""Where the mask of each image comes from: a file beside it, or run-length code in a csv."""

from pathlib import Path

import pandas as pd

from common.data.files import FIX, find_files, some
from common.data.frame import SUFFIXES
from common.data.masks import code_text
from common.data.rle import merge
from common.errors import KitError
from common.keys import IMAGE_ID, MASK, OBJECTS


def attach_masks(
    frame: pd.DataFrame, folder: Path, ending: str = "", column: str = MASK
) -> pd.DataFrame:
    """Return the frame with a column of the file in `folder` named like each image's id.

    Args:
        frame: image_id, a file's name with or without its suffix.
        folder: of the masks.
        ending: what stands in their names between the id and the suffix, such as "_mask".
        column: OBJECTS where the files number the objects, for `kit oof --parts`.

    Raises:
        KitError: an image without a mask.
    """
    files = {path.stem: path for path in find_files(folder, SUFFIXES).values()}
    stems = [_stem(image_id) + ending for image_id in frame[IMAGE_ID]]
    missing = [stem for stem in stems if stem not in files]
    if missing:
        raise KitError(
            f"expected a mask in '{folder}' for every image, {len(missing)} of {len(frame)} have "
            f"none: {some(missing)}; {FIX}"
        )
    return frame.assign(**{column: [str(files[stem]) for stem in stems]})


def attach_codes(frame: pd.DataFrame, table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the frame with `mask`, the union of the codes that a table has for each image.

    Where a row is an instance, `objects` keeps their codes apart, one a line, for what scores them.

    Args:
        frame: image_id, one row per image; one that the table lacks has an empty mask.
        table: image_id and `column`, run-length code: a row per image or per instance.
        column: NaN or empty: no foreground.

    Raises:
        KitError: a row of the table without an image.
    """
    strange = set(table[IMAGE_ID]) - set(frame[IMAGE_ID])
    if strange:
        raise KitError(
            f"expected an image for every row of '{column}', {len(strange)} images have none: "
            f"{some(sorted(strange))}; {FIX}"
        )
    codes = table[column].map(code_text).groupby(table[IMAGE_ID]).agg(list)
    own = [codes.get(name, []) for name in frame[IMAGE_ID]]
    frame = frame.assign(**{MASK: [merge(texts) for texts in own]})
    if max(map(len, own), default=0) < 2:
        return frame
    return frame.assign(**{OBJECTS: ["\n".join(filter(None, texts)) for texts in own]})


def _stem(image_id: str) -> str:
    return image_id.rpartition(".")[0] if image_id.lower().endswith(SUFFIXES) else image_id
