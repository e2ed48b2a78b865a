import copy
import pickle

import pytest
import timm
import torch
from safetensors.torch import save_file

from common.errors import KitError
from common.keys import IMAGE, MASK_LOGITS
from common.models.segmenter import DECODERS, STRIDES, make_segmenter, pad_to_multiple


@pytest.fixture
def config(config):
    return config.model_copy(
        update={
            "task": "segmentation",
            "classes": ("building",),
            "metric": "iou",
            "data.img_size": 64,
            "model.decoder_arguments": {"decoder_channels": [32, 24, 16, 12, 8]},
        }
    )


def batch(height: int = 64, width: int = 64, n: int = 2) -> dict:
    torch.manual_seed(0)
    return {IMAGE: torch.randint(0, 256, (n, 3, height, width), dtype=torch.uint8)}


@pytest.mark.parametrize("name", ["test_resnet", "test_byobnet", "test_convnext", "test_mambaout"])
def test_a_coarser_output_for_every_stride(config, name):
    update = {"model.name": name, "model.strides": (4, 8, 16, 32)}
    model = make_segmenter(config.model_copy(update=update)).eval()
    outputs = model(batch(64, 96))
    assert outputs[MASK_LOGITS].shape == (2, 1, 64, 96)
    for stride, key in STRIDES.items():
        assert outputs[key].shape == (2, 1, 64 // stride, 96 // stride)
    plain = make_segmenter(config.model_copy(update={"model.name": name})).eval()
    assert list(plain(batch())) == [MASK_LOGITS]


@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_every_decoder_gives_as_many_pixels_as_it_gets(config, decoder):
    size = 128 if decoder == "pan" else 64
    update = {
        "data.img_size": size,
        "model.decoder": decoder,
        "model.decoder_arguments": {},
        "model.strides": (4, 8),
        "classes": ("ground", "roof", "road"),
    }
    model = make_segmenter(config.model_copy(update=update)).eval()
    outputs = model(batch(size, size))
    assert outputs[MASK_LOGITS].shape == (2, 3, size, size)
    assert outputs[STRIDES[8]].shape == (2, 3, size // 8, size // 8)


@pytest.mark.parametrize("decoder", ["unet", "fpn"])
def test_any_size_is_padded_and_cut_back(config, decoder):
    update = {"model.decoder": decoder, "model.decoder_arguments": {}, "model.strides": (4,)}
    model = make_segmenter(config.model_copy(update=update)).eval()
    odd = batch(50, 71)
    outputs = model(odd)
    assert outputs[MASK_LOGITS].shape == (2, 1, 50, 71)
    assert outputs[STRIDES[4]].shape == (2, 1, 13, 18)
    padded = {IMAGE: pad_to_multiple(odd[IMAGE].float(), 32)}
    assert padded[IMAGE].shape == (2, 3, 64, 96)
    whole = model(padded)[MASK_LOGITS][..., :50, :71]
    torch.testing.assert_close(outputs[MASK_LOGITS], whole)


def test_the_coarser_outputs_read_the_decoder(config):
    """The gradient of the output of stride 4 reaches the decoder's stages above it, no others."""
    model = make_segmenter(config.model_copy(update={"model.strides": (4, 32)}))
    model(batch())[STRIDES[4]].sum().backward()
    moved = [any(p.grad is not None for p in block.parameters()) for block in _blocks(model)]
    assert moved == [True, True, True, False, False]
    model.zero_grad(set_to_none=True)
    model(batch())[STRIDES[32]].sum().backward()
    assert all(p.grad is None for p in model.net.decoder.parameters())


def _blocks(model) -> list:
    return list(model.net.decoder.blocks)


def test_groups_hold_every_parameter_once_and_the_encoder_first(config):
    model = make_segmenter(config.model_copy(update={"model.strides": (4,)}))
    body, head = model.groups()
    assert {id(p) for p in body} == {id(p) for p in model.net.encoder.parameters()}
    assert {id(p) for p in body} | {id(p) for p in head} == {id(p) for p in model.parameters()}
    assert len(body) + len(head) == len(list(model.parameters()))


def test_copies_and_pickles_say_the_same(config):
    model = make_segmenter(config.model_copy(update={"model.strides": (4, 8)})).eval()
    outputs = model(batch())
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for key, value in other(batch()).items():
            torch.testing.assert_close(value, outputs[key])


def test_formats_and_floats_change_nothing(config):
    torch.manual_seed(0)
    model = make_segmenter(config).eval()
    update = {"model.channels_last": True, "model.drop_rate": 0.5}
    last = make_segmenter(config.model_copy(update=update)).eval()
    last.load_state_dict(model.state_dict())
    data = batch()
    expected = model(data)[MASK_LOGITS]
    torch.testing.assert_close(last(data)[MASK_LOGITS], expected, rtol=1e-4, atol=1e-4)
    floats = model({IMAGE: data[IMAGE].float()})[MASK_LOGITS]
    torch.testing.assert_close(floats, expected)
    assert (last.train()(data)[MASK_LOGITS] != last(data)[MASK_LOGITS]).any()


def test_preprocessing_is_the_encoders_own(config):
    expected = timm.data.resolve_data_config({}, model=timm.create_model("test_resnet"))
    preprocessing = make_segmenter(config).preprocessing
    assert preprocessing["mean"] == expected["mean"]
    assert preprocessing["std"] == expected["std"]
    assert preprocessing["img_size"] == 64


@pytest.mark.parametrize("decoder", ["unet", "deeplabv3plus"])
def test_weights_come_from_a_file(config, tmp_path, decoder):
    torch.manual_seed(1)
    source = timm.create_model("test_resnet").state_dict()
    save_file(source, tmp_path / "test_resnet.safetensors")
    update = {
        "model.weights": str(tmp_path),
        "model.decoder": decoder,
        "model.decoder_arguments": {},
    }
    model = make_segmenter(config.model_copy(update=update))
    state = model.net.encoder.model.state_dict()
    assert len(state) > 20
    for name, value in state.items():
        assert torch.equal(value, source[name]), name
    fresh = make_segmenter(config.model_copy(update=update), load_weights=False)
    weight = next(name for name in state if name.endswith("conv1.weight"))
    assert not torch.equal(fresh.net.encoder.model.state_dict()[weight], source[weight])


WRONG = [
    ({"model.decoder": "unett"}, "unknown model.decoder 'unett' of segmentation; did you mean"),
    ({"model.decoder": "dpt"}, "unknown model.decoder 'dpt'"),
    ({"model.name": "resnet81"}, "unknown model.name 'resnet81'; did you mean 'resnet"),
    ({"model.name": "test_vit"}, "strides 4, 8, 16 and 32 that unet takes, test_vit failed"),
    (
        {"model.decoder_arguments": {"decoder_chanels": [1]}},
        "'decoder_chanels' in model.decoder_arguments of unet; did you mean 'decoder_channels'",
    ),
    ({"model.decoder_arguments": {"decoder_channels": [8, 8]}}, "unet takes, test_resnet failed"),
    ({"model.arguments": {"no_such": 1}}, "test_resnet failed with"),
    ({"model.weights": "nowhere.pth"}, "expected weights of test_resnet in 'nowhere.pth'"),
    (
        {"model.decoder": "deeplabv3", "model.decoder_arguments": {}, "model.strides": (32,)},
        r"expected model.strides of \[4, 8\]",
    ),
]


@pytest.mark.parametrize(("update", "telling"), WRONG, ids=lambda value: str(value)[:30])
def test_what_cannot_be_built_is_told(config, update, telling):
    with pytest.raises(KitError, match=telling):
        make_segmenter(config.model_copy(update=update))
