"""Masks as TIFF files in a zip: written small, and checked before anyone uploads them.

The contest asks for single-channel files of 0 and 255 under the names of the images, compressed by
`gdal_translate -co COMPRESS=CCITTFAX4 -co NBITS=1`. CCITT group 4 exists for 1 bit per pixel only,
so that compressed files are bilevel: 0 is black, 1 is white, which readers give back as 0 and 255.
That is what is written by default; 8 bits are written with deflate. Both are valid here.
"""

import io
import zipfile
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from common import distributed
from common.errors import KitError
from common.submission.rules import MAX_PER_KIND, Finding, Severity, summarise

Compression = Literal["ccitt", "deflate"]
CODECS = {"ccitt": "group4", "deflate": "tiff_adobe_deflate"}  # Pillow's names
PHOTOMETRIC, MIN_IS_BLACK = 262, 1  # TIFF tag, and its value for 0 = black
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file, so that equal masks make equal zips
Problem = tuple[Severity, str, str]  # severity, kind, message


def write_mask_tiff(path: Path | str, mask: np.ndarray, compression: Compression = "ccitt") -> Path:
    """Write a mask as a TIFF of one channel, 0 and 255, and return its path.

    Args:
        path: the file, with the name of the image.
        mask: `(H, W)` bool, or integers of 0 and 1 or of 0 and 255.
        compression: "ccitt" for 1 bit and group 4, "deflate" for 8 bits.
    """
    path = Path(path)
    if mask.ndim != 2 or mask.dtype.kind not in "bui" or not mask.size:
        raise KitError(f"expected a mask (H, W), got {mask.shape} {mask.dtype}; threshold it first")
    if compression not in CODECS:
        known = " or ".join(CODECS)
        raise KitError(f"expected compression {known}, got {compression!r}; name one")
    white, top = mask != 0, mask.max()
    if top not in (0, 1, 255) or (white & (mask != top)).any():
        raise KitError(
            f"expected 0 and 1, or 0 and 255 in the mask {path.name}, got {mask.min()}..{top} and "
            "more; threshold it first"
        )
    image = Image.fromarray(white if compression == "ccitt" else white.astype(np.uint8) * 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "TIFF", compression=CODECS[compression], tiffinfo={PHOTOMETRIC: MIN_IS_BLACK})
    return path


def write_mask_zip(
    masks: Iterable[tuple[str, np.ndarray]], out: Path, expected: Mapping[str, tuple[int, int]]
) -> Path:
    """Write masks as TIFF files into a zip, check it and return its path.

    Of several processes the first one writes; the others make their masks.

    Args:
        masks: names and `(H, W)` masks; taken one at a time, for all seldom fit into memory.
        out: the zip.
        expected: see `check_mask_zip`.

    Raises:
        KitError: the zip is not valid; it then lies beside, as `<out>.invalid`.
    """
    if not distributed.is_first():
        deque(masks, maxlen=0)
        return out
    with TemporaryDirectory() as folder:
        for name, mask in masks:
            write_mask_tiff(Path(folder) / name, mask)
        zip_masks(folder, out)
    findings = check_mask_zip(out, expected)
    if any(finding.severity == "error" for finding in findings):
        beside = out.replace(out.with_name(f"{out.name}.invalid"))
        raise KitError(f"expected a valid zip, got '{beside}':\n{summarise(findings)}")
    return out


def zip_masks(folder: Path | str, out: Path | str) -> Path:
    """Put the TIFF files of a folder into a zip without folders, ordered by name; return its path.

    An old zip stays as it is until the new one is complete.
    """
    folder, out = Path(folder), Path(out)
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".tif", ".tiff"))
    if not files:
        raise KitError(f"expected TIFF files in {folder}, got none; write the masks first")
    temporary = out.with_name(f".{out.name}.tmp")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                info = zipfile.ZipInfo(path.name, EPOCH)
                archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
        temporary.replace(out)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return out


def check_mask_zip(path: Path | str, expected: Mapping[str, tuple[int, int]]) -> list[Finding]:
    """Return all that is wrong with a zip of masks; an empty list means valid.

    A finding names its file in the message, since a zip has neither lines nor columns.

    Args:
        path: the zip.
        expected: height and width of the image by file name, `{"tyrol-e1.tif": (5000, 5000)}`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            problems = _check_names(names, expected)
            for name in dict.fromkeys(names):
                if name in expected:
                    problems += _check_file(archive, name, expected[name])
    except (OSError, zipfile.BadZipFile) as error:
        remedy = "write it with zip_masks"
        return [Finding("error", None, None, f"expected a zip at {path}, got {error}; {remedy}")]
    return _report(problems)


def _check_names(names: Sequence[str], expected: Mapping[str, tuple[int, int]]) -> list[Problem]:
    got, problems = Counter(names), list[Problem]()
    for name in expected:
        if name not in got:
            text = f"expected a file {name!r}, got none: it is missing; predict every image"
            problems.append(("error", "missing files", text))
    for name, count in got.items():
        if count > 1:
            text = f"expected {name!r} once, got a duplicate; zip an empty folder's files anew"
            problems.append(("error", "duplicate files", text))
        if name not in expected:
            problems.append(("error", "extra files", _describe_extra(name, expected)))
    return problems


def _describe_extra(name: str, expected: Mapping[str, tuple[int, int]]) -> str:
    base = name.replace("\\", "/").rpartition("/")[2]
    alike = [want for want in expected if Path(want).stem.casefold() == Path(base).stem.casefold()]
    if base in expected:
        return f"expected {base!r} at the top of the zip, got {name!r}; zip without folders"
    hint = f"name it {alike[0]!r}" if alike else "leave it out"
    return f"expected the names of the images, got the extra file {name!r}; {hint}"


def _check_file(archive: zipfile.ZipFile, name: str, size: tuple[int, int]) -> list[Problem]:
    try:
        data = archive.read(name)  # checks the sum over the file as well
        with Image.open(io.BytesIO(data)) as image:
            return _check_image(image, name, size)
    except UnidentifiedImageError:
        got = "another format or a broken header"
    # RuntimeError: an encrypted file; ValueError, SyntaxError: what Pillow raises on broken tags
    except (OSError, RuntimeError, ValueError, SyntaxError, zipfile.BadZipFile, EOFError) as error:
        got = str(error)
    except Image.DecompressionBombError as error:
        got = str(error)
    text = f"{name}: expected a TIFF that can be read, got {got}: damaged; write it again"
    return [("error", "damaged files", text)]


def _check_image(image: Image.Image, name: str, size: tuple[int, int]) -> list[Problem]:
    """Return what is wrong with an image; its pixels are decoded last, once it has its size."""

    def problem(kind: str, want: str, got: str, remedy: str) -> list[Problem]:
        return [("error", kind, f"{name}: expected {want}, got {got}; {remedy}")]

    height, width = size
    if image.format != "TIFF":
        return problem("other formats", "a TIFF", f"{image.format}", "write_mask_tiff writes one")
    if (image.height, image.width) != (height, width):
        got = f"{image.height} x {image.width}"
        return problem("other sizes", f"{height} x {width}", got, "resize it to its image")
    pages = getattr(image, "n_frames", 1)
    if pages > 1:
        return problem("more pages", "one page", f"{pages}", "write each mask to a file of its own")
    if len(image.getbands()) > 1 or image.mode == "P":
        got = f"{'a palette' if image.mode == 'P' else f'channels {image.mode}'}"
        return problem("more channels", "one channel", got, "write the mask alone")
    if image.mode not in ("1", "L"):
        return problem("other types", "1 or 8 bits", f"mode {image.mode}", "write uint8 masks")
    values = np.flatnonzero(image.histogram())
    if not np.isin(values, (0, 255)).all():
        got = f"{len(values)} values up to {values[-1]}"
        return problem("other values", "0 and 255", got, "threshold it, and multiply it by 255")
    tags = getattr(image, "tag_v2", {})
    if image.mode == "1" and tags.get(PHOTOMETRIC, MIN_IS_BLACK) != MIN_IS_BLACK:
        text = f"{name}: expected 0 for black, got 0 for white, which some readers take as black"
        return [("warning", "0 for white", f"{text}; write it with write_mask_tiff")]
    return []


def _report(problems: Sequence[Problem]) -> list[Finding]:
    """Return findings, the first few of each kind written out and the others counted."""
    findings = []
    for severity, kind in dict.fromkeys(problem[:2] for problem in problems):
        texts = [text for one, other, text in problems if (one, other) == (severity, kind)]
        rest = len(texts) - MAX_PER_KIND
        shown = texts[:MAX_PER_KIND] + ([f"and {rest} more: {kind}"] if rest > 0 else [])
        findings += [Finding(severity, None, None, text) for text in shown]
    return findings
