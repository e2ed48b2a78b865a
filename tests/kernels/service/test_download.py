"""kit download: whole, once, and going on where it broke off."""

import io
import json
import shutil
import zipfile
from collections import namedtuple

import pytest

from common.kernels_folder import kernels

from .service_stub import RedirectTo
from .things import NAME, SLUG

DOWNLOAD = ("download", NAME)
TREE = {"train.csv": b"a,b\n" * 3000, "train/1.jpg": bytes(range(256)) * 40, "test/2.jpg": b"2"}


def zipped(files, method=zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


@pytest.fixture
def offer(kaggle, monkeypatch):
    """Return a function that offers an archive, behind the redirect that Kaggle answers with."""

    monkeypatch.setattr(kernels("service.fetch"), "CHUNK", 1000)

    def offered(files, **more) -> bytes:
        kaggle.says(DownloadDataFiles=RedirectTo("/download/all.zip"))
        kaggle.files["all.zip"] = zipped(files, **more)
        return kaggle.files["all.zip"]

    return offered


@pytest.fixture
def place(tmp_path):
    return tmp_path / "data" / NAME


def tree(folder):
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name != ".download.json"}


def test_the_data_comes_whole_and_once(kit, kaggle, offer, place):
    offer(TREE)
    code, text = kit(*DOWNLOAD)
    assert code == 0, text
    assert tree(place) == TREE
    assert kaggle.of("DownloadDataFiles")[0].json["competitionName"] == SLUG
    assert f"data/{NAME}: 3 files of {SLUG} in " in text
    kaggle.asked.clear()
    code, text = kit(*DOWNLOAD)
    assert code == 0
    assert "all 3 files of" in text
    assert not kaggle.asked


def test_an_aborted_download_goes_on_at_the_same_byte(kit, kaggle, offer, place):
    whole = offer(TREE, method=zipfile.ZIP_STORED)
    kaggle.drops = [10, 5000, 0, 7000]  # of the first, and of every second later, the head is read
    code, text = kit(*DOWNLOAD)
    assert code == 0, text
    assert tree(place) == TREE
    ranges = [asked.headers.get("Range") for asked in kaggle.of("download")]
    assert [one for one in ranges if one] == ["bytes=5000-", "bytes=12000-"]
    assert len(whole) > 12000


def test_a_later_call_goes_on(kit, kaggle, offer, place):
    offer(TREE, method=zipfile.ZIP_STORED)
    kaggle.drops = [10, 5000, *[0] * 6]
    code, text = kit(*DOWNLOAD)
    assert code == 2
    assert "got 5.0 kB of it" in text
    assert "run this again: it goes on there" in text
    assert (place / f"{SLUG}.zip.partial").stat().st_size == 5000
    kaggle.drops, kaggle.asked = [], []
    code, text = kit(*DOWNLOAD)
    assert code == 0, text
    assert "going on at 5.0 kB" in text
    assert tree(place) == TREE
    assert kaggle.of("download")[-1].headers["Range"] == "bytes=5000-"


@pytest.mark.parametrize("how", ["another archive", "no ranges"])
def test_what_cannot_go_on_begins_anew(kit, kaggle, offer, place, how):
    offer({name: data[::-1] for name, data in TREE.items()}, method=zipfile.ZIP_STORED)
    kaggle.drops = [10, 5000, *[0] * 6]
    assert kit(*DOWNLOAD)[0] == 2
    offer(TREE, method=zipfile.ZIP_STORED)
    kaggle.drops, kaggle.tag, kaggle.ranges = [], '"2"', how != "no ranges"
    code, text = kit(*DOWNLOAD)
    assert code == 0, text
    assert tree(place) == TREE


def test_a_service_that_ignores_conditions_does_not_mix_two_archives(kit, kaggle, offer, place):
    offer({name: data[::-1] for name, data in TREE.items()}, method=zipfile.ZIP_STORED)
    kaggle.drops = [10, 5000, *[0] * 6]
    assert kit(*DOWNLOAD)[0] == 2
    offer(TREE, method=zipfile.ZIP_STORED)
    kaggle.drops, kaggle.tag, kaggle.conditions = [], '"2"', False
    code, text = kit(*DOWNLOAD)
    assert code == 0, text
    assert tree(place) == TREE


def test_archives_within_are_unpacked(kit, offer, place):
    own_folder = zipped({"train/1.jpg": b"1", "train/2.jpg": b"2"})
    bare = zipped({"3.jpg": b"3", "more.zip": zipped({"4.jpg": b"4"})})
    offer({"train.zip": own_folder, "test.zip": bare, "x.csv": b"x", "fake.zip": b"no archive"})
    code, text = kit(*DOWNLOAD)
    assert code == 0, text
    names = {"train/1.jpg", "train/2.jpg", "test/3.jpg", "test/more/4.jpg", "x.csv", "fake.zip"}
    assert set(tree(place)) == names
    assert ": 6 files of" in text


@pytest.mark.parametrize("name", ["../out.csv", "/tmp/out.csv", "a/../../out.csv", "C:\\out.csv"])
@pytest.mark.parametrize("nested", [False, True])
def test_names_that_lead_out_are_refused(kit, offer, place, name, nested):
    evil = {"good.csv": b"1", name: b"evil"}
    offer({"inner.zip": zipped(evil)} if nested else evil)
    code, text = kit(*DOWNLOAD)
    assert code == 2
    assert "do not trust this archive" in text
    assert set(tree(place)) <= {f"{SLUG}.zip", "inner.zip"}
    assert not list(place.parents[1].rglob("out.csv"))


def test_links_are_refused(kit, kaggle, offer, place):
    offer({})
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(link, "/etc")
    kaggle.files["all.zip"] = packed.getvalue()
    assert "do not trust this archive" in kit(*DOWNLOAD)[1]
    assert not (place / "link").exists()


def test_an_interrupted_unpacking_goes_on(kit, kaggle, offer, place, monkeypatch):
    offer(TREE)
    real = zipfile.ZipFile.extract

    def extract(self, member, path):
        if member.filename == "test/2.jpg":
            raise KeyboardInterrupt
        return real(self, member, path)

    monkeypatch.setattr(zipfile.ZipFile, "extract", extract)
    assert kit(*DOWNLOAD)[0] == 130
    monkeypatch.undo()
    kaggle.asked.clear()
    code, text = kit(*DOWNLOAD, "--data", place)
    assert code == 0, text
    assert tree(place) == TREE
    assert not kaggle.asked


def test_a_damaged_archive_is_told_and_fetched_again(kit, kaggle, offer, place):
    whole = bytearray(offer(TREE, method=zipfile.ZIP_STORED))
    whole[100] ^= 255
    kaggle.files["all.zip"] = bytes(whole)
    code, text = kit(*DOWNLOAD)
    assert code == 2
    assert "expected a whole archive" in text
    (place / f"{SLUG}.zip").unlink()
    offer(TREE)
    assert kit(*DOWNLOAD)[0] == 0
    assert tree(place) == TREE


@pytest.mark.parametrize("free", ["none", "enough for the archive"])
def test_a_disk_that_is_too_small_is_told_first(kit, kaggle, offer, place, monkeypatch, free):
    zeros = {"zeros.csv": bytes(3_000_000)}
    size, spare = len(offer(zeros)), kernels("service.unpack").SPARE
    space = 0 if free == "none" else 2 * size + spare
    usage = namedtuple("usage", "total used free")(1, 1, space)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, text = kit(*DOWNLOAD)
    assert code == 2
    assert "free some, or name another place" in text
    assert not (place / "zeros.csv").exists()
    assert (place / f"{SLUG}.zip").exists() == (free != "none")


def test_files_of_others_are_left_alone(kit, kaggle, offer, place, monkeypatch):
    offer(TREE)
    place.mkdir(parents=True)
    (place / "demo.csv").write_text("demo")
    code, text = kit(*DOWNLOAD)
    assert code == 2
    assert "holds files" in text
    monkeypatch.setenv("KIT_DATA", str(place))
    assert f"make the folder '{place / NAME}' first" in kit(*DOWNLOAD)[1]
    (place / NAME).mkdir()
    assert kit(*DOWNLOAD)[0] == 0
    assert tree(place / NAME) == TREE
    assert (place / "demo.csv").read_text() == "demo"


def test_a_dry_run_sends_nothing(kit, kaggle, place, monkeypatch):
    monkeypatch.delenv("KAGGLE_KEY")
    code, text = kit(*DOWNLOAD, "--dry-run")
    assert code == 0, text
    assert f"DownloadDataFiles {json.dumps({'competitionName': SLUG})}" in text
    assert not kaggle.asked
    assert not place.exists()


def test_what_is_not_on_kaggle_says_where_it_is(kit, kaggle):
    code, text = kit("download", "inria_segmentation")
    assert code == 2
    assert "project.inria.fr/aerialimagelabeling" in text
    assert not kaggle.asked


def test_a_competition_without_a_slug_says_where_it_is_set(kit, kaggle):
    assert kit("new", "colours")[0] == 0
    code, text = kit("download", "colours")
    assert code == 2
    assert "set slug in competitions/colours/config.py" in text
