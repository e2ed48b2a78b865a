"""Options that no part of a task reads are told before anything is loaded, not passed over."""

import pytest

from common.checkpoints import save_checkpoint
from common.commands.predict import predict_options
from common.commands.sweep_space import parse_space
from common.competition import Competition
from common.config import Config, foreign_keys, refuse_foreign
from common.config.foreign import BOXES, CLASSES, GRADES, MASKS, NUMBERS, READ_BY, SEVERAL
from common.errors import KitError
from common.runs import Run

OTHER = {  # a value of every key in the table that it does not have by default
    "multilabel": True,
    "data.sampler": "sqrt",
    "data.start_size": 32,
    "data.oversample": 2.0,
    "data.cache": True,
    "data.cache_dir": "elsewhere",
    "data.cache_gb": 1.0,
    "data.ignore": 7,
    "data.pseudo": "x.parquet",
    "data.pseudo_weight": 0.5,
    "data.pseudo_start": 1,
    "data.pseudo_ramp": 1,
    "model.decoder": "fpn",
    "model.decoder_arguments": {"x": 1},
    "model.strides": (8,),
    "model.drop_rate": 0.3,
    "model.dropouts": 4,
    "model.pool": "gem",
    "model.head": "arcface",
    "model.margin": 0.1,
    "model.scale": 9.0,
    "model.subcentres": 2,
    "model.auxiliary": {"age": 1},
    "model.checkpoint_gradients": True,
    "train.layer_decay": 0.8,
    "train.class_weights": "balanced",
    "train.mixup": 0.4,
    "train.cutmix": 1.0,
    "train.mosaic": 0.5,
    "train.focal_gamma": 1.0,
    "train.asymmetric_gamma": (2, 1),
    "train.stride_weight": 0.1,
    "train.label_smoothing": 0.1,
    "log.cam_class": "cat",
    "predict.blend": "x",
    "predict.fuse_iou": 0.7,
    "predict.fuse_least": 0.1,
    "predict.confidence": 0.4,
    "predict.grade_cuts": (0.5,),
    "predict.thresholds": (0.4,),
    "predict.masks.threshold": 0.4,
    "predict.masks.min_area": 9,
    "predict.masks.instances": "watershed",
    "predict.masks.min_distance": 9,
}
KINDS = {
    CLASSES: {},
    NUMBERS: {"target": "regression"},
    GRADES: {"target": "ordinal"},
    SEVERAL: {"multilabel": True},
    MASKS: {"task": "segmentation"},
    BOXES: {"task": "detection"},
}
STORIES = {
    CLASSES: "alaska2_classification",
    MASKS: "inria_segmentation",
    BOXES: "wheat_detection",
}


def of(kind: str, **values) -> Config:
    plain = Config(competition="c", classes=("cat", "dog"), metric="m")
    return plain.model_copy(update={**KINDS[kind], **values})


@pytest.mark.parametrize("kind", KINDS)
def test_each_key_is_taken_where_it_is_read_and_refused_elsewhere(kind):
    """One key after the other, each against the table's word for it."""
    assert {key for keys in READ_BY.values() for key in keys} == set(OTHER)
    refuse_foreign(of(kind))  # what is as usual is no mistake
    own = {kind} | ({CLASSES} if kind in (GRADES, SEVERAL) else set())
    for by, keys in READ_BY.items():
        for key in keys:
            if key == "multilabel":
                continue  # it is what makes a kind, and none of grades and numbers takes it
            changed = of(kind, **{key: OTHER[key]})
            if own & set(by):
                refuse_foreign(changed)
                continue
            with pytest.raises(KitError, match=rf"got {key}=.* \(of .*\).*take out") as error:
                refuse_foreign(changed)
            assert str(error.value).count(" (of ") == 1  # it alone


@pytest.mark.parametrize("kind", [MASKS, BOXES])
def test_several_classes_per_image_are_of_images_alone(kind):
    with pytest.raises(KitError, match="multilabel=True"):
        refuse_foreign(of(kind, multilabel=True))


@pytest.mark.parametrize("name", STORIES.values())
def test_the_competitions_own_experiments_are_trained(name):
    for experiment in Competition(name).module("config").EXPERIMENTS.values():
        refuse_foreign(experiment)


TOLD = [
    (BOXES, ["train.cutmix=1"], "options of detection, got train.cutmix=1.0 (of classification"),
    (BOXES, ["train.label_smoothing=0.1"], "train.label_smoothing=0.1 (of classification or seg"),
    (BOXES, ["data.ignore=7", "train.cutmix=1"], "data.ignore=7 (of segmentation), which nothing"),
    (CLASSES, ["train.mosaic=0.5"], "train.mosaic=0.5 (of detection), which nothing would read"),
    (CLASSES, ["model.strides=[8]"], "model.strides=(8,) (of segmentation)"),
    (CLASSES, ["data.ignore=255"], "data.ignore=255 (of segmentation)"),
    (CLASSES, ["predict.grade_cuts=0.5,1.5,2.5"], "(0.5, 1.5, 2.5) (of target=ordinal)"),
    (MASKS, ["train.mixup=0.4"], "train.mixup=0.4 (of classification or regression or detection)"),
    (MASKS, ["predict.confidence=0.5"], "predict.confidence=0.5 (of detection)"),
    (
        MASKS,
        ["train.label_smoothing=0.1", "train.loss.dice=1"],
        "bce in train.loss, which train.label_smoothing=0.1 is of alone, got dice; add bce or set",
    ),
    (CLASSES, ["train.loss.focal=1", "train.label_smoothing=0.1"], "set train.label_smoothing=0"),
    (CLASSES, ["train.optimiser=adamv"], "got 'adamv'; did you mean 'adam"),
    (BOXES, ["train.optimiser=lookahead_adamv"], "did you mean 'lookahead_adam"),
    (MASKS, ["log.rank_by=iuo"], "unknown log.rank_by 'iuo'; did you mean 'iou'?"),
    (CLASSES, ["log.rank_by=cross_entrpy"], "did you mean 'cross_entropy'?"),
    (BOXES, ["train.loss.dice=1"], "unknown term 'dice' in train.loss"),
]


@pytest.mark.parametrize("command", ["train", "check", "tune", "kernel pack --train"])
@pytest.mark.parametrize(("kind", "words", "said"), TOLD)
def test_a_mistake_is_told_before_there_is_data_or_a_model(kit, command, kind, words, said):
    code, text = kit(*command.split(), STORIES[kind], *words)  # there is no data here
    told = [line for line in text.splitlines() if said in line]
    assert (code, len(told)) == (2, 1), text


def test_a_sweep_tells_it_before_its_first_trial():
    parse_space(["train.mixup=0,0.4"], of(BOXES))
    with pytest.raises(KitError, match=r"train\.cutmix=1"):
        parse_space(["train.cutmix=0,1"], of(BOXES))
    with pytest.raises(KitError, match=r"train\.mosaic=0\.5"):
        parse_space(["train.lr=1e-4..1e-2", "train.mosaic=0.5"], of(CLASSES))


def test_an_older_run_predicts_and_goes_on_without_the_key(tmp_path):
    stored, mended = of(BOXES, **{"train.cutmix": 1.0, "data.pseudo": "x"}), of(BOXES)
    mended = mended.model_copy(update={"data.pseudo": "x"})
    run = Run(tmp_path / "c" / "e" / "fold0")
    run.checkpoints.mkdir(parents=True)
    run.config_file.write_text(stored.model_dump_json())
    save_checkpoint(run.best(), {"config": stored.model_dump(mode="json")})
    assert predict_options(run.best(), ["predict.tta=flip"]).tta == "flip"
    with pytest.raises(KitError, match=r"predict\.grade_cuts=\(0\.5,\) \(of target=ordinal\)"):
        predict_options(run.best(), ["predict.grade_cuts=0.5"])
    assert "train.cutmix" in foreign_keys(run.config)
    Run.create(run.folder, mended, resume=True)
    with pytest.raises(KitError, match=r"data\.pseudo: 'x' -> ''"):
        Run.create(run.folder, of(BOXES), resume=True)
