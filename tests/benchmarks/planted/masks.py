"""Wrong masks, planted into photographs or drawings: an object removed, added or shifted."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from planted.task import Planted, config_of

from common.keys import FOLD, IMAGE_ID, MASK, PATH

SHARE = 0.08  # of the pictures, a third of each kind
KINDS = ("missing", "spurious", "shifted")
SMALLEST = 40  # pixels of an object that is changed


def plant(data: Path | None, work: Path, seed: int, options) -> Planted:
    """Return a frame with copies of the masks, some of them wrong; `wrong` is a set of ids."""
    frame = _draw(work) if data is None else _read(data)
    random, folder = np.random.default_rng(seed), work / "masks"
    folder.mkdir(exist_ok=True)
    count = max(3, round(SHARE * len(frame)))
    chosen = random.choice(len(frame), count, replace=False).tolist()
    kinds = dict(zip(chosen, np.arange(count) % 3, strict=True))
    wrong = set()
    for row, name in enumerate(frame[IMAGE_ID]):
        mask = (np.array(Image.open(frame[MASK].iloc[row])) > 0).astype(np.uint8)
        if row in kinds:
            changed = _change(mask, KINDS[kinds[row]], random)
            wrong |= {name} if (changed != mask).any() else set()
            mask = changed
        Image.fromarray(mask * 255).save(folder / f"{name}.png")
    frame = frame.assign(**{MASK: [str(folder / f"{name}.png") for name in frame[IMAGE_ID]]})
    frame[FOLD] = random.permutation(len(frame)) % options.folds
    return Planted(frame, config_of("segmentation", ("object",), seed, options, "iou"), wrong)


def _change(mask: np.ndarray, kind: str, random: np.random.Generator) -> np.ndarray:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
    large = [part for part in range(1, count) if stats[part, cv2.CC_STAT_AREA] >= SMALLEST]
    if not large:
        return mask
    where = parts == random.choice(large)
    changed = mask.copy()
    if kind == "spurious":
        places = [_move(where, *_anywhere(where, random)) for _ in range(50)]
        changed[min(places, key=lambda place: int((mask * place).sum()))] = 1
        return changed
    changed[where] = 0
    if kind == "shifted":
        angle, far = random.uniform(0, 2 * np.pi), random.uniform(0.35, 0.6)
        height, width = (np.ptp(axis) + 1 for axis in np.nonzero(where))
        changed[
            _move(where, *np.round(far * np.array([np.sin(angle) * height, np.cos(angle) * width])))
        ] = 1
    return changed


def _anywhere(where: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
    """Return a step that leaves the object inside of the picture."""
    steps = [
        random.integers(-axis.min(), side - axis.max())
        for axis, side in zip(np.nonzero(where), where.shape, strict=True)
    ]
    return int(steps[0]), int(steps[1])


def _move(where: np.ndarray, down: float, right: float) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(where.astype(np.uint8), matrix, where.shape[::-1], flags=0) > 0


def _read(data: Path) -> pd.DataFrame:
    names = pd.read_csv(data / "train.csv", dtype=str).iloc[:, 0]
    files = {
        column: [str(next((data / folder).glob(f"{name}.*"))) for name in names]
        for column, folder in ((PATH, "train"), (MASK, "train_masks"))
    }
    return pd.DataFrame({IMAGE_ID: names, **files})


def _draw(work: Path, count: int = 60) -> pd.DataFrame:
    """Draw bright discs on noise."""
    random, rows = np.random.default_rng(0), []
    for number in range(count):
        mask = np.zeros((96, 96), np.uint8)
        for _ in range(random.integers(3, 7)):
            x, y, radius = random.integers((8, 8, 6), (88, 88, 12)).tolist()
            cv2.circle(mask, (x, y), radius, 1, -1)
        pixels = random.normal(90, 30, (96, 96, 3)) + 70 * mask[:, :, None]
        row = {IMAGE_ID: f"i{number}", PATH: str(work / f"{number}.png")}
        row[MASK] = str(work / f"{number}_mask.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(row[PATH])
        Image.fromarray(mask * 255).save(row[MASK])
        rows.append(row)
    return pd.DataFrame(rows)


def rankings(planted: Planted, issues: pd.DataFrame, last, best) -> dict[str, np.ndarray]:
    """Return for each way of ranking pictures whether each, worst first, is a planted one."""
    ids, _, counts = best
    whole = np.array([name.partition("@")[0] for name in ids])
    hits, alarms, misses = counts[:, counts.shape[1] // 2, :3].T
    names = issues[IMAGE_ID].str.partition("@")[0]
    tables = {
        "label issues": issues.doubt.groupby(names).max(),
        "last-epoch loss": pd.Series(last[ids].to_numpy()).groupby(whole).max(),
        "wrong pixels": pd.Series(alarms + misses).groupby(whole).sum(),
        "1 - IoU": pd.Series(1 - hits / np.maximum(hits + alarms + misses, 1)).groupby(whole).max(),
    }
    every = np.unique(whole)
    doubts = {name: table.reindex(every, fill_value=0) for name, table in tables.items()}
    truth = np.isin(every, list(planted.wrong))
    return {
        name: truth[np.argsort(-doubt.to_numpy(float), kind="stable")]
        for name, doubt in doubts.items()
    }
