"""Wrong boxes, planted into photographs or drawings: removed, added, shifted, renamed."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from planted.task import Planted, config_of

from common.data.box_tables import attach_boxes, parse_bboxes
from common.keys import BOXES, FOLD, IMAGE_ID, LABELS, PATH
from common.metrics.box_pairs import pair_boxes
from common.metrics.testimony import REGION, overlap

SHARE = 0.08  # of the boxes, a quarter of each kind
KINDS = ("missing", "spurious", "shifted", "wrong class")
FOUND = 0.5  # IoU with the planted box


def plant(data: Path | None, work: Path, seed: int, options) -> Planted:
    """Return a frame with wrong boxes; `wrong` is a table of id, kind and where."""
    frame, classes = _draw(work) if data is None else _read(data)
    random = np.random.default_rng(seed)
    boxes, labels = ([np.array(cell) for cell in frame[key]] for key in (BOXES, LABELS))
    image = np.repeat(np.arange(len(frame)), [len(own) for own in labels])
    row = np.concatenate([np.arange(len(own)) for own in labels])
    chosen = random.choice(len(row), max(4, round(SHARE * len(row))), replace=False)
    gone: list[tuple[int, int]] = []
    wrong = []
    for place, (i, k) in enumerate(zip(image[chosen].tolist(), row[chosen].tolist(), strict=True)):
        kind, size = KINDS[place % 4], frame[["width", "height"]].iloc[i].to_numpy(float)
        where = boxes[i][k].copy()
        if kind == "missing":
            gone.append((i, k))
        elif kind == "spurious":
            where = _free(where, boxes[i], size, random)
            boxes[i] = np.concatenate([boxes[i], where[None]])
            labels[i] = np.append(labels[i], labels[i][k])
        elif kind == "shifted":
            where = boxes[i][k] = _shift(where, size, random)
        else:
            labels[i][k] = (labels[i][k] + random.integers(1, max(len(classes), 2))) % len(classes)
        wrong.append(
            {
                IMAGE_ID: frame[IMAGE_ID].iloc[i],
                "kind": kind,
                **dict(zip(REGION, where, strict=True)),
            }
        )
    for i in {i for i, _ in gone}:
        rows = [k for j, k in gone if j == i]
        boxes[i], labels[i] = np.delete(boxes[i], rows, 0), np.delete(labels[i], rows)
    frame = frame.assign(**{BOXES: boxes, LABELS: labels})
    frame[FOLD] = random.permutation(len(frame)) % options.folds
    config = config_of("detection", classes, seed, options, metric="coco_map_50")
    return Planted(frame, config, pd.DataFrame(wrong))


def _shift(box: np.ndarray, size: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move a box by about half its size; IoU with where it was 0.2 to 0.5."""
    for _ in range(20):
        angle, far = random.uniform(0, 2 * np.pi), random.uniform(0.35, 0.6)
        step = far * np.array([np.cos(angle), np.sin(angle)]) * (box[2:] - box[:2])
        moved = np.clip(box + np.tile(step, 2), 0, np.tile(size, 2)).astype(box.dtype)
        if 0.2 < overlap(box, moved[None])[0] < 0.55:
            break
    return moved


def _free(
    box: np.ndarray, others: np.ndarray, size: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return the box moved to where there is least, of 50 random places."""
    span = box[2:] - box[:2]
    corners = random.uniform(0, np.maximum(size - span, 1), (50, 2))
    places = np.concatenate([corners, corners + span], 1).astype(box.dtype)
    return min(places, key=lambda place: overlap(place, others).max(initial=0))


def _read(data: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    table = pd.read_csv(data / "train.csv", dtype={IMAGE_ID: str})
    classes = tuple(sorted(table["label"].unique()))
    boxes = parse_bboxes(table).copy()
    boxes[:, 2:] += boxes[:, :2]
    frame = table[[IMAGE_ID, "width", "height"]].drop_duplicates(IMAGE_ID, ignore_index=True)
    frame[PATH] = [str(next((data / "train").glob(f"{name}.*"))) for name in frame[IMAGE_ID]]
    return attach_boxes(frame, table, boxes, np.searchsorted(classes, table["label"])), classes


def _draw(work: Path, count: int = 60) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Draw red and blue squares on noise."""
    random, rows = np.random.default_rng(0), []
    for number in range(count):
        pixels, boxes, labels = random.integers(0, 90, (96, 96, 3)).astype(np.uint8), [], []
        for corner in random.permutation(9)[: random.integers(2, 6)].tolist():
            x, y = random.integers(2, 8, 2) + 32 * np.array([corner % 3, corner // 3])
            side, label = random.integers(14, 22), random.integers(2)
            pixels[y : y + side, x : x + side, 2 * label] = 220
            boxes.append((x, y, x + side, y + side))
            labels.append(label)
        path = work / f"{number}.png"
        Image.fromarray(pixels).save(path)
        row = {IMAGE_ID: f"i{number}", PATH: str(path), "width": 96, "height": 96}
        rows.append({**row, BOXES: np.array(boxes, np.float32), LABELS: np.array(labels)})
    return pd.DataFrame(rows), ("blue", "red")


def rankings(planted: Planted, issues: pd.DataFrame, last, best) -> dict[str, np.ndarray]:
    """Return for each way of ranking boxes whether each, worst first, is a planted one.

    What is found a second time, such as a shifted box where it should be, is left out.
    """
    ids, targets, predictions = best
    plain = _usual(planted, ids, targets, predictions, last)
    ways = {"label issues": issues.assign(score=issues.doubt)}
    ways |= {name: plain.assign(score=plain[name]) for name in plain if name not in issues}
    return {
        name: _hits(table.sort_values("score", ascending=False, kind="stable"), planted.wrong)
        for name, table in ways.items()
    }


def _hits(ranked: pd.DataFrame, wrong: pd.DataFrame) -> np.ndarray:
    left = {name: rows[REGION].to_numpy(float) for name, rows in wrong.groupby(IMAGE_ID)}
    taken = {name: np.zeros(len(rows), bool) for name, rows in left.items()}
    hits = []
    for name, *box in ranked[[IMAGE_ID, *REGION]].itertuples(index=False):
        near = overlap(np.array(box), left[name]) if name in left else np.zeros(0)
        best = int(near.argmax()) if len(near) else -1
        if best < 0 or near[best] < FOUND:
            hits.append(False)
        elif not taken[name][best]:
            taken[name][best] = True
            hits.append(True)
    return np.array(hits)


def _usual(planted: Planted, ids, targets, predictions, last) -> pd.DataFrame:
    """Return true boxes and found ones that mean none, with what is usually ranked by."""
    side = planted.config.data.img_size
    sizes = planted.frame.set_index(IMAGE_ID)[["width", "height"]].loc[ids].to_numpy(float)
    pairs = pair_boxes(targets, predictions, len(planted.config.classes), 0.1)
    rows = []
    for image, truth, found, actual, predicted, score in zip(*pairs, strict=True):
        source = targets[image][BOXES][truth] if truth >= 0 else predictions[image][BOXES][found]
        own = score if actual == predicted else 0
        other = score if actual != predicted else 0
        box = np.asarray(source, float) * np.tile(sizes[image], 2) / side
        doubt = other if truth < 0 else 1 - own
        row = {IMAGE_ID: ids[image], "self-confidence": doubt, "normalised margin": other - own}
        rows.append(
            {**row, "last-epoch loss": last[ids[image]], **dict(zip(REGION, box, strict=True))}
        )
    return pd.DataFrame(rows)
