import pytest
import timm
import torch
from safetensors.torch import save_file

from common.errors import KitError
from common.keys import EMBEDDING, IMAGE, LOGITS
from common.models.classifier import make_classifier
from common.models.normalise import Normalise
from common.models.weights import find_weights

TINY = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "test_nfnet"]


def batch(size: int = 160) -> dict:
    return {IMAGE: torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)}


@pytest.mark.parametrize("name", TINY)
def test_outputs_have_names_and_agree_with_timm(config, name):
    model = make_classifier(config.model_copy(update={"model.name": name})).eval()
    data = batch()
    outputs = model(data)
    assert outputs[LOGITS].shape == (2, 3)
    assert outputs[EMBEDDING].ndim == 2
    torch.testing.assert_close(outputs[LOGITS], model.body(model.normalise(data[IMAGE])))


def test_groups_hold_every_parameter_once(config):
    model = make_classifier(config)
    body, head = model.groups()
    assert {id(p) for p in body} | {id(p) for p in head} == {id(p) for p in model.parameters()}
    assert len(body) + len(head) == len(list(model.parameters()))
    assert {p.shape[0] for p in head} == {3}


def test_normalise_is_the_usual_formula_and_keeps_its_input():
    image = batch(8)[IMAGE]
    kept = image.clone()
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    expected = (image / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    normalise = Normalise(mean, std)
    torch.testing.assert_close(normalise(image), expected)
    floats = image.float()
    torch.testing.assert_close(normalise(floats), expected)
    assert torch.equal(image, kept)
    assert torch.equal(floats, kept.float())
    last = normalise(image.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, normalise(image))


@pytest.fixture
def weights_file(tmp_path):
    torch.manual_seed(1)
    state = timm.create_model("test_resnet").state_dict()
    save_file(state, tmp_path / "test_resnet.safetensors")
    return tmp_path / "test_resnet.safetensors"


def body_weights(model) -> dict:
    return {k: v for k, v in model.body.state_dict().items() if not k.startswith("fc.")}


def check_loaded(model, file) -> None:
    torch.manual_seed(1)
    source = timm.create_model("test_resnet").state_dict()
    for name, value in body_weights(model).items():
        assert torch.equal(value, source[name]), name


def test_weights_come_from_a_file_with_another_head(config, weights_file):
    for where in (weights_file, weights_file.parent):
        model = make_classifier(config.model_copy(update={"model.weights": str(where)}))
        check_loaded(model, weights_file)
        assert model.body.get_classifier().out_features == 3


def test_pretrained_prefers_a_local_copy(config, weights_file, monkeypatch):
    monkeypatch.setenv("KIT_WEIGHTS", str(weights_file.parent))
    check_loaded(make_classifier(config.model_copy(update={"model.weights": "pretrained"})), None)


def test_kaggle_inputs_are_searched(weights_file, monkeypatch, tmp_path):
    folder = tmp_path / "input" / "models" / "test_resnet" / "pytorch"
    folder.mkdir(parents=True)
    weights_file.rename(folder / "model.safetensors")
    monkeypatch.setenv("KIT_KAGGLE_INPUT", str(tmp_path / "input"))
    assert find_weights("test_resnet") == folder / "model.safetensors"


def test_no_network_and_no_file_says_what_to_do(config, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(KitError, match="KIT_WEIGHTS"):
        make_classifier(config.model_copy(update={"model.weights": "pretrained"}))


@pytest.mark.parametrize(
    ("update", "telling"),
    [
        ({"model.name": "resnet81"}, "did you mean 'resnet"),
        ({"model.weights": "nowhere.pth"}, "expected weights of test_resnet in 'nowhere.pth'"),
    ],
)
def test_unknown_names_get_a_hint(config, update, telling):
    with pytest.raises(KitError, match=telling):
        make_classifier(config.model_copy(update=update))
