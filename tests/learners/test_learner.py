import numpy as np
import pytest
import torch
from fastai.callback.core import Callback as FastaiCallback
from fastai.callback.core import CancelFitException

from common.callbacks.accumulate import Accumulate
from common.callbacks.ema import Ema
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.mix import Mix
from common.callbacks.schedule import Schedule, make_shape
from common.errors import KitError
from common.keys import IMAGE_ID, INDEX, LABEL, LOSS, PREDICTION, TARGET
from common.learners.recipe import technique_callbacks


def weights(learner) -> dict:
    return {name: value.clone() for name, value in learner.model.state_dict().items()}


def test_fit_learns_the_colours_and_gathers_every_sample_once(config, learner_of, colours):
    learner = learner_of(config)
    learner.fit_one_cycle(4, 1e-2)
    evaluation = learner.evaluation
    held_out = colours[colours.fold == 0]
    assert evaluation.scores["accuracy"] > 0.8
    assert evaluation[IMAGE_ID] == held_out.image_id.tolist()
    assert evaluation[INDEX].tolist() == list(range(len(held_out)))
    assert (evaluation[TARGET] == held_out.label.to_numpy()).all()
    np.testing.assert_allclose(evaluation[PREDICTION].sum(1), 1, rtol=1e-5)


def test_losses_per_sample_are_those_of_the_predictions(config, learner_of):
    learner = learner_of(config)
    learner.fit(1)
    evaluation = learner.evaluation
    rows = np.arange(len(evaluation))
    expected = -np.log(evaluation[PREDICTION][rows, evaluation[TARGET]])
    np.testing.assert_allclose(evaluation[LOSS], expected, rtol=1e-4)
    assert evaluation[f"{LOSS}/cross_entropy"].tolist() == evaluation[LOSS].tolist()


def test_the_batch_size_of_validation_changes_no_score(config, learner_of):
    scores = []
    for size in (5, 12):
        learner = learner_of(config.model_copy(update={"train.batch_size": size}))
        scores.append(learner.validate().scores)
    assert scores[0] == pytest.approx(scores[1])


def test_validation_touches_no_weight(config, learner_of):
    learner = learner_of(config)
    before = weights(learner)
    learner.validate()
    assert all(torch.equal(before[name], value) for name, value in weights(learner).items())


def test_lr_find_suggests_a_rate_and_puts_everything_back(config, learner_of):
    learner = learner_of(config)
    before = weights(learner)
    found = learner.lr_find(num_it=12)
    assert 1e-7 < found.valley < 10
    assert all(torch.equal(before[name], value) for name, value in weights(learner).items())


def test_freeze_leaves_the_body_and_moves_the_head(config, learner_of):
    learner = learner_of(config)
    body = [p.clone() for p in learner.model.groups()[0] if p.ndim > 1]
    head = [p.clone() for p in learner.model.groups()[1]]
    learner.freeze()
    learner.fit(1, 1e-2)
    after = [p for p in learner.model.groups()[0] if p.ndim > 1]
    assert all(torch.equal(a, b) for a, b in zip(body, after, strict=True))
    assert not torch.equal(head[0], learner.model.groups()[1][0])
    learner.unfreeze()
    assert all(p.requires_grad for p in learner.model.parameters())


def test_fine_tune_runs_frozen_then_free(config, learner_of):
    learner = learner_of(config)
    body = learner.model.groups()[0][0].clone()
    learner.fine_tune(1, 1e-2, freeze_epochs=1)
    assert not torch.equal(body, learner.model.groups()[0][0])


def test_parts_have_their_own_rates_and_norms_no_decay(config, learner_of):
    learner = learner_of(
        config.model_copy(update={"train.body_lr_factor": 0.1, "train.weight_decay": 0.05})
    )
    learner.add_cb(Schedule(make_shape("constant", 0)))
    learner.fit(1)
    groups = {group["group_name"]: group for group in learner.opt.opt.param_groups}
    assert groups["head_decayed"]["lr"] == pytest.approx(10 * groups["body0_decayed"]["lr"])
    assert groups["body0_plain"]["weight_decay"] == 0
    assert groups["body0_decayed"]["weight_decay"] == 0.05
    assert all(p.ndim <= 1 for p in groups["body0_plain"]["params"])


class FirstGradient(FastaiCallback):
    order, gradient = 20, None

    def before_step(self):
        if self.gradient is None:
            parameters = self.learn.model.parameters()
            self.gradient = torch.cat([p.grad.flatten() for p in parameters])


@pytest.mark.parametrize("limit", [0.01, 1e6])
def test_a_gradient_is_clipped_to_the_norm_of_the_config_and_keeps_its_direction(
    config, learner_of, limit
):
    gradients = []
    for clip_norm in (0.0, limit):
        changed = config.model_copy(update={"train.clip_norm": clip_norm, "train.epochs": 1})
        learner, first = learner_of(changed), FirstGradient()
        learner.add_cbs([*technique_callbacks(changed), first])
        learner.fit(1, 1e-3)
        gradients.append(first.gradient)
    free, clipped = gradients
    assert 0.01 < free.norm() < 1e6
    torch.testing.assert_close(clipped, free * min(limit / free.norm(), 1), rtol=1e-3, atol=1e-7)


def test_accumulated_gradients_are_those_of_the_big_batch(config, learner_of):
    update = {"data.augment": "none", "model.name": "test_vit", "data.img_size": 160}
    gradients = []
    for size, batches in ((8, 1), (4, 2)):
        learner = learner_of(config.model_copy(update={**update, "train.batch_size": size}))
        first = FirstGradient()
        learner.add_cbs([Accumulate(batches), first])
        learner.fit(1, 1e-3)
        gradients.append(first.gradient)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


def test_a_shorter_last_group_steps_and_leaves_no_gradient(config, learner_of):
    learner = learner_of(config)  # 3 batches an epoch
    counter = StepCounter()
    learner.add_cbs([Accumulate(2), counter])
    learner.fit(2)
    assert counter.steps == 4
    assert all(p.grad is None for p in learner.model.parameters())


class StepCounter(FastaiCallback):
    steps = 0

    def after_step(self):
        self.steps += 1


def test_bf16_trains_and_keeps_float32_losses(config, learner_of):
    learner = learner_of(config)
    learner.add_cb(HalfPrecision("bf16"))
    learner.fit(3, 1e-2)
    assert learner.evaluation[LOSS].dtype == np.float32
    assert learner.evaluation.scores["accuracy"] > 0.5
    assert not torch.is_autocast_enabled("cpu")


def test_fp16_scales_its_loss(config, learner_of):
    learner = learner_of(config)
    seen = []
    amp = HalfPrecision("fp16")
    learner.add_cbs(
        [amp, FastaiCallback(after_batch=lambda cb: seen.append(amp.scaler.get_scale()))]
    )
    learner.fit(1)
    assert min(seen) > 1
    assert torch.isfinite(torch.cat([p.flatten() for p in learner.model.parameters()])).all()


def test_fp16_without_loss_scaling_refuses_to_start(config, learner_of):
    learner = learner_of(config)
    learner.add_cb(HalfPrecision("fp16", loss_scaling=False))
    before = weights(learner)
    with pytest.raises(KitError, match="expected dynamic loss scaling"):
        learner.fit(1)
    assert all(torch.equal(before[name], value) for name, value in weights(learner).items())


def test_half_weights_are_refused(config, learner_of):
    learner = learner_of(config)
    learner.model.half()
    with pytest.raises(KitError, match=r"expected float32 weights.*train\.amp=fp16"):
        learner.fit(1)


def test_ema_validates_the_average_and_trains_the_raw_weights(config, learner_of):
    plain, averaged = learner_of(config), learner_of(config)
    ema = Ema(0.9)
    averaged.add_cb(ema)
    for learner in (plain, averaged):
        learner.fit(2, 1e-2)
    raw = weights(averaged)
    assert all(torch.equal(value, raw[name]) for name, value in weights(plain).items())
    assert any(not torch.equal(value, raw[name]) for name, value in ema.weights().items())
    assert plain.evaluation[LOSS].tolist() != averaged.evaluation[LOSS].tolist()


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.4, 0), (0, 1.0), (0.4, 1.0)])
def test_mixing_trains_and_leaves_validation_alone(config, learner_of, mixup, cutmix):
    learner = learner_of(config)
    shapes = []
    look = FastaiCallback(after_batch=lambda cb: shapes.append(cb.learn.batch[LABEL].shape[1:]))
    look.order = 80
    learner.add_cbs([Mix(mixup, cutmix, 3), look])
    learner.fit(1)
    assert set(shapes[:3]) == {(3,)}
    assert set(shapes[3:]) == {()}


def test_an_error_keeps_its_type_and_names_the_callback(config, learner_of):
    class Broken(FastaiCallback):
        def after_pred(self):
            raise KeyError("nothing here")

    learner = learner_of(config)
    learner.add_cb(Broken())
    with pytest.raises(KeyError) as error:
        learner.fit(1)
    assert error.value.__notes__ == ["in Broken.after_pred"]


def test_dispatch_keeps_order_and_the_meaning_of_run(config, learner_of):
    calls = []

    class Late(FastaiCallback):
        order, run_valid = 5, False

        def after_pred(self):
            calls.append("late")

    class Early(FastaiCallback):
        order = 1

        def after_pred(self):
            calls.append("early")

    class Off(FastaiCallback):
        run = False

        def after_pred(self):
            calls.append("off")

    learner = learner_of(config)
    learner.add_cbs([Late(), Early(), Off()])
    learner.fit(1)
    train, valid = len(learner.dls.train), len(learner.dls.valid)
    assert calls == ["early", "late"] * train + ["early"] * valid
    calls.clear()
    learner.remove_cb(Late)
    learner.fit(1)
    assert "late" not in calls
    assert calls.count("off") == train + valid  # fastai switches callbacks on again after a fit


def test_a_cancelled_fit_ends_cleanly(config, learner_of):
    class Stop(FastaiCallback):
        def after_batch(self):
            raise CancelFitException

    learner = learner_of(config)
    stop = Stop()
    learner.add_cb(stop)
    learner.fit(2)
    learner.remove_cb(stop)
    learner.fit(1)
    assert learner.evaluation is not None
