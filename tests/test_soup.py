"""Averaged checkpoints: the mean, exactly; predicts; refuses what does not fit."""

import pytest
import torch

from common.checkpoints import load_checkpoint, save_checkpoint
from common.errors import KitError
from common.inference.predict import load_model
from common.models.classifier import make_classifier
from common.soup import make_soup


def write(path, config, seed: int, **more):
    torch.manual_seed(seed)
    model = make_classifier(config, load_weights=False)
    content = {"weights": model.state_dict(), "config": config.model_dump(mode="json")}
    save_checkpoint(
        path, {**content, "thresholds": {"t": 0.2 * seed}, "training": {"x": 1}, **more}
    )
    return path


def test_the_soup_is_the_mean_and_predicts(config, tmp_path):
    paths = [write(tmp_path / f"{seed}.pt", config, seed) for seed in (1, 2, 3)]
    soup = make_soup(paths, tmp_path / "soup.pt")
    content, parts = load_checkpoint(soup), [load_checkpoint(path)["weights"] for path in paths]
    for key, value in content["weights"].items():
        assert value.dtype == parts[0][key].dtype
        if value.is_floating_point():
            torch.testing.assert_close(value, sum(part[key] for part in parts) / 3)
    assert content["thresholds"]["t"] == pytest.approx(0.4)
    assert content["soup"] == [str(path) for path in paths]
    assert "training" not in content
    model, found = load_model(soup, make_classifier)
    assert found == config
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_of_equals_the_soup_is_the_same_bit_for_bit(config, tmp_path):
    path = write(tmp_path / "a.pt", config, 1)
    soup = load_checkpoint(make_soup([path, path, path], tmp_path / "soup.pt"))
    for key, value in load_checkpoint(path)["weights"].items():
        assert torch.equal(value, soup["weights"][key])


def test_what_does_not_fit_is_refused(config, tmp_path):
    path = write(tmp_path / "a.pt", config, 1)
    other = config.model_copy(update={"model.name": "test_vit"})
    fewer = config.model_copy(update={"classes": ("blue", "red")})
    broken = write(tmp_path / "nan.pt", config, 2)
    content = load_checkpoint(broken)
    next(iter(content["weights"].values())).fill_(float("nan"))
    save_checkpoint(broken, content)
    shapes = load_checkpoint(path)
    key = next(iter(shapes["weights"]))
    shapes["weights"][key] = shapes["weights"][key][:1]
    save_checkpoint(tmp_path / "cut.pt", shapes)
    for second, telling in (
        (write(tmp_path / "b.pt", other, 2), "expected model.name [^{]*$"),
        (write(tmp_path / "c.pt", fewer, 2), "expected classes"),
        (broken, "expected finite weights"),
        (tmp_path / "cut.pt", f"1 differ: '{key}'"),
        (tmp_path / "no.pt", "found none"),
    ):
        with pytest.raises(KitError, match=telling):
            make_soup([path, second], tmp_path / "soup.pt")
    assert not (tmp_path / "soup.pt").exists()
    with pytest.raises(KitError, match="two checkpoints or more"):
        make_soup([path], tmp_path / "soup.pt")
