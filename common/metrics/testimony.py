"""What predictions say against labels, epoch by epoch, and what they agree on in the end.

A testimony is a table with a row per doubted unit of the truth:

- `index`: of the sample; `place`: which unit of its truth (of boxes the row, of several labels the
  class), FREE for what the truth lacks;
- `kind`: what seems wrong; `given`, `suggested`: classes, NOTHING where there is none;
- `doubt`: 0..1, the larger the more surely wrong; lesser ones than LEAST are left out;
- `left, top, right, bottom`: where in the picture, pixels; NaN: everywhere.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from common.keys import INDEX

PLACE, KIND, GIVEN, SUGGESTED, DOUBT = "place", "kind", "given", "suggested", "doubt"
REGION = ["left", "top", "right", "bottom"]
WRONG_CLASS, MISSING, SPURIOUS, SHIFTED = "wrong class", "missing", "spurious", "shifted"
FREE = NOTHING = -1
LEAST = 0.05  # doubt; what is less is not worth the memory
SAME = 0.4  # IoU from which on two epochs miss the same thing


def doubt_rows(
    index: np.ndarray,
    kind: np.ndarray | str,
    doubt: np.ndarray,
    given: np.ndarray | int = NOTHING,
    suggested: np.ndarray | int = NOTHING,
    place: np.ndarray | int = FREE,
    region: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return a table of M rows from `(M,)` columns and `(M, 4)` regions; NaN doubts say nothing."""
    where = np.full((len(index), 4), np.nan) if region is None else np.asarray(region)
    frame = pd.DataFrame({INDEX: np.asarray(index, np.int64)})
    for name, column in ((PLACE, place), (GIVEN, given), (SUGGESTED, suggested)):
        frame[name] = np.broadcast_to(np.asarray(column, np.int32), len(frame))
    frame[KIND] = np.broadcast_to(np.asarray(kind, object), len(frame))
    frame[DOUBT] = np.asarray(doubt, np.float32)
    frame[REGION] = where.astype(np.float32)
    return frame[frame[DOUBT] >= LEAST].reset_index(drop=True)  # NaN is left out


def pool(witnesses: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return what several epochs say together, the surest first.

    The doubt of a unit is its mean over all of them, silence being none; kind, suggestion and
    region are of the epoch that is surest. Missing things are one where their regions overlap.
    """
    rows = pd.concat([frame.assign(witness=k) for k, frame in enumerate(witnesses)])
    rows = rows.sort_values([DOUBT, INDEX, PLACE], ascending=[False, True, True], kind="stable")
    rows = rows.reset_index(drop=True)
    free = (rows[PLACE] == FREE).to_numpy()
    unit = np.arange(len(rows))
    for members in _by_sample(rows[INDEX].to_numpy(), np.flatnonzero(free)):
        unit[members] = _join(rows.loc[members, [*REGION, "witness"]].to_numpy(), members)
    unit[~free] = _first_of_its_kind(rows.loc[~free, [INDEX, PLACE]])
    total = np.bincount(unit, weights=rows[DOUBT], minlength=len(rows))
    heads = np.unique(unit)
    pooled = rows.iloc[heads].assign(**{DOUBT: (total[heads] / len(witnesses))})
    keys = [DOUBT, INDEX, PLACE, *REGION]
    order = [False, *[True] * (len(keys) - 1)]
    return pooled.drop(columns="witness").sort_values(keys, ascending=order, ignore_index=True)


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return the `(K,)` IoU of one `(4,)` box with `(K, 4)` others."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = (high - low).clip(0).prod(1)
    areas = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / np.maximum(areas - shared, 1e-9)


def _first_of_its_kind(keys: pd.DataFrame) -> np.ndarray:
    """Return for each row the name of the first row with the same keys."""
    groups = keys.groupby([INDEX, PLACE], sort=False)
    first = keys.index.to_numpy()[groups.cumcount().to_numpy() == 0]
    return first[groups.ngroup().to_numpy()]


def _by_sample(index: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    order = rows[np.argsort(index[rows], kind="stable")]
    cuts = np.flatnonzero(np.diff(index[order])) + 1
    return iter(np.split(order, cuts) if len(order) else [])


def _join(rows: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return for each row, surest first, the name of the first that it means the same thing as.

    A witness counts once for a thing: what it says again of it stands alone.
    """
    unit, heads = names.copy(), list[int]()
    heard: dict[int, set[int]] = {}
    for row in range(len(rows)):
        near = overlap(rows[row, :4], rows[heads, :4]) if heads else np.zeros(0)
        witness = int(rows[row, 4])
        for place in np.argsort(-near, kind="stable").tolist():
            head = heads[place]
            if near[place] >= SAME and witness not in heard[head]:
                unit[row] = names[head]
                heard[head].add(witness)
                break
        else:
            heads.append(row)
            heard[row] = {witness}
    return unit
