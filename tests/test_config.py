import pytest

from common.config import Config, parse_overrides
from common.errors import KitError


def override(config: Config, *words: str) -> Config:
    return config.model_copy(update=parse_overrides(words))


def test_an_override_changes_its_value_alone(config):
    changed = override(config, "train.epochs=8", "data.img_size=null", "model.name=resnet50")
    assert (changed.train.epochs, changed.data.img_size, changed.model.name) == (
        8,
        None,
        "resnet50",
    )
    assert changed.model_copy(update={"train": config.train, "data": config.data}) != config
    assert config.train.epochs == 2


@pytest.mark.parametrize(
    ("word", "value"),
    [("log.loggers=[]", ()), ("log.loggers=local,wandb", ("local", "wandb")), ("log.loggers=", ())],
)
def test_lists_can_be_given_as_json_or_words(config, word, value):
    assert override(config, word).log.loggers == value


def test_free_form_arguments_take_new_keys(config):
    assert override(config, "model.arguments.output_stride=8").model.arguments == {
        "output_stride": 8
    }


@pytest.mark.parametrize(
    ("word", "telling"),
    [
        ("train.epoch=8", "unknown config key 'train.epoch'; did you mean 'train.epochs'?"),
        ("trian.epochs=8", "did you mean 'train.epochs'?"),
        ("epochs=8", "did you mean 'train.epochs'?"),
        ("train.epochs=many", "'train.epochs': expected integer"),
        ("train.epochs=1.5", "'train.epochs': expected integer"),
        ("train.lr=-1", "'train.lr': expected greater than 0, got -1"),
        ("train.lr=NaN", "'train.lr': expected"),
        ("train.amp=fp8", "expected 'none', 'bf16' or 'fp16', got 'fp8'"),
        ("log.loggers=wandbx", "expected 'wandb', 'tensorboard' or 'local'"),
        ("metric.name=x", "'metric' is a single value"),
        ("train.epochs", "expected key=value"),
    ],
)
def test_a_wrong_word_names_key_expectation_and_remedy(config, word, telling):
    with pytest.raises(KitError) as error:
        override(config, word)
    assert telling in str(error.value)
    assert "\n" not in str(error.value)


def test_values_cannot_be_changed_in_place(config):
    with pytest.raises(ValueError, match="frozen"):
        config.train.epochs = 3


def test_json_gives_the_same_config_back(config, tmp_path):
    changed = override(config, "train.mixup=0.4", "model.arguments.x=1")
    (tmp_path / "config.json").write_text(changed.model_dump_json())
    assert Config.read(tmp_path / "config.json") == changed


def test_a_file_stands_for_its_words_and_later_words_win(config, tmp_path):
    file = tmp_path / "some.json"
    file.write_text('{"overrides": {"train.lr": 0.5, "model.channels_last": true}, "on": "cpu"}')
    found = override(config, f"@{file}", "train.lr=0.25")
    assert (found.train.lr, found.model.channels_last) == (0.25, True)
    file.write_text('{"train": {"lr": 0.125}, "log.looks": "none"}')
    assert override(config, "train.lr=1", f"@{file}").train.lr == 0.125
    for content, telling in (("[1]", "a JSON object"), ("{", "a JSON object")):
        file.write_text(content)
        with pytest.raises(KitError, match=telling):
            override(config, f"@{file}")
    with pytest.raises(KitError, match="No such file"):
        override(config, "@nowhere.json")
