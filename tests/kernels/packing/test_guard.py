import json

import pytest

from common.errors import KitError
from common.kernels_folder import kernels

guard, metadata = kernels("packing.guard"), kernels("packing.metadata")
KEY = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "text",
    [
        f'api_key = "{KEY}"',
        f"WANDB_TOKEN: '{KEY}'",
        "-----BEGIN RSA PRIVATE KEY-----",
        "hf_" + "a" * 34,
        "KGAT_" + KEY,
        "AKIA" + "ABCD" * 4,
    ],
)
def test_what_looks_secret_is_refused_and_not_repeated(text):
    with pytest.raises(KitError, match=r"found .* in data\.py") as error:
        guard.refuse_secrets({"data.py": f"x = 1\n{text}\n"})
    assert KEY not in str(error.value)


def test_the_secrets_of_this_machine_are_known(monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("MY_SECRET", "open sesame!")
    (tmp_path / "kaggle.json").write_text(json.dumps({"username": "me", "key": "zyxwvu"}))
    for text, what in (("open sesame!", "MY_SECRET"), ("a zyxwvu b", "kaggle.json")):
        with pytest.raises(KitError, match=what) as error:
            guard.refuse_secrets({"a": text})
        assert text not in str(error.value)


def test_code_that_is_clean_passes():
    guard.refuse_secrets({"a": "token = read()\nnum_tokens = 5\nkey = 'image'"})
    guard.refuse_absolute_paths({"a": "x = data_dir / 'train'\n# see /home/me\ny = '/'"})


@pytest.mark.parametrize("path", ["/home/me/x.csv", "C:\\\\data\\\\x", "/mnt/disk/a.pth"])
def test_paths_of_this_machine_are_refused_with_their_line(path):
    with pytest.raises(KitError, match=r"in data\.py, line 2"):
        guard.refuse_absolute_paths({"data.py": f"x = 1\npath = '{path}'\n"})


def test_slugs_are_what_kaggle_takes():
    assert (
        metadata.name_slug("alaska2_classification", "predict") == "alaska2-classification-predict"
    )
    long = metadata.name_slug("a_very_long_name_of_a_competition_that_goes_on", "checkpoints")
    assert len(long) <= 50
    assert long.endswith("-checkpoints")
    with pytest.raises(KitError, match="5 characters"):
        metadata.name_slug("a", "b")


def test_the_owner_is_who_is_known(monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    assert metadata.find_owner("") == metadata.NOBODY
    (tmp_path / "kaggle.json").write_text(json.dumps({"username": "me", "key": "k"}))
    assert metadata.find_owner("") == "me"
    assert metadata.find_owner("you") == "you"
