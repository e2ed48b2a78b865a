"""kit soup."""

from collections.abc import Sequence
from math import inf, isnan
from pathlib import Path

from common.callbacks.out_of_fold import write_fold
from common.checkpoints import load_checkpoint, save_checkpoint
from common.commands.checks.model import rehearse_training
from common.commands.chosen import named_runs
from common.competition import Competition
from common.config import Config
from common.data.files import some
from common.data.loaders import stop_workers
from common.environment import data_dir, runs_dir, seed_everything
from common.errors import KitError, did_you_mean
from common.keys import IMAGE_ID
from common.learners.base import Learner
from common.learners.recipe import facts
from common.learners.tasting import Ingredient, Soup, greedy, uniform
from common.metrics.base import Metric
from common.oof_files import read_oof_file
from common.run_lock import unlock_run
from common.runs import Run, check_name, hash_weights
from common.soup import read_ingredients

HOWS = {"greedy": greedy, "uniform": uniform}


def cook(
    name: str,
    words: Sequence[str],
    how: str,
    best: int,
    stored_as: str,
    given_data: Path | None,
    given_runs: Path | None,
) -> None:
    """Average checkpoints fold by fold into an experiment of ordinary runs.

    Args:
        words: runs, or experiments.
        how: uniform: all of them; greedy: from the best on, those that better the validation.
        best: epochs of each run; 0: of several runs 1, of one all that it kept.
    """
    if how not in HOWS:
        hint = did_you_mean(how, HOWS)
        raise KitError(f"expected --how of {' or '.join(HOWS)}, got '{how}'; {hint}")
    check_name(stored_as)
    competition, root = Competition.find(name), runs_dir(given_runs)
    by_fold, place = _by_fold(words, name, root), data_dir(name, given_data)
    for fold in by_fold:
        folder = root / name / stored_as / f"fold{fold}"
        if folder.exists():
            raise KitError(f"expected a new experiment, '{folder}' is there; give another --name")
    for fold, runs in by_fold.items():
        metric = competition.metrics(runs[0].config)[0]
        most = best or (1 if len(runs) > 1 else None)
        found = [one for run in runs for one in _ingredients(run, metric, most)]
        made = Run(root / name / stored_as / f"fold{fold}")
        _cook_fold(competition, found, how, metric, place, made, runs)


def _by_fold(words: Sequence[str], name: str, root: Path) -> dict[int, list[Run]]:
    runs = [run for word in words for run in named_runs(word, name, root)]
    if not runs:
        raise KitError(f"expected runs to average, got none; kit soup {name} --run A --run B")
    found = {fold: [r for r in runs if r.fold == fold] for fold in sorted({r.fold for r in runs})}
    for fold, own in found.items():
        if len({run.folder.resolve() for run in own}) < len(own):
            raise KitError(f"expected different runs, got {_names(own)}; name each once")
        if len(own) < len(words):
            raise KitError(
                f"expected runs of the same folds, of fold {fold} there is {_names(own)} alone of "
                f"{_names(runs)}: the model of another fold has learnt what this one is scored on; "
                "name runs of one fold, or train the others"
            )
    return found


def _names(runs: Sequence[Run]) -> str:
    return ", ".join(run.name for run in runs)


def _ingredients(run: Run, metric: Metric, most: int | None) -> list[Ingredient]:
    """Return the best epochs of a run, each once."""
    if not run.best().is_file():
        raise KitError(f"expected a best checkpoint in every run, {run.name} has none; train it")
    found: dict[int, Ingredient] = {}
    for path in [run.best(), *run.kept(), *sorted(run.checkpoints.glob("best_*.pt"))]:
        content = load_checkpoint(path)
        score = content["scores"].get(f"valid/{metric.name}", float("nan"))
        score = -inf if isnan(score) else score if metric.maximise else -score
        title = f"{run.name} epoch {content['epoch']}"
        found.setdefault(content["epoch"], Ingredient(title, path, score))
    return sorted(found.values(), key=lambda one: -one.score)[:most]


def _cook_fold(
    competition: Competition,
    found: Sequence[Ingredient],
    how: str,
    metric: Metric,
    place: Path,
    made: Run,
    runs: Sequence[Run],
) -> None:
    if len(found) < 2:
        raise KitError(
            f"expected two checkpoints or more to average, got {found[0].name} alone; name more "
            "runs of this fold, or train with train.keep_best=5 and name that run"
        )
    contents = dict(zip(found, read_ingredients([one.path for one in found]), strict=True))
    config = runs[0].config
    seed_everything(config.train.seed, config.train.deterministic)
    bare = config.model_copy(update={"model.weights": "none"})  # they are in the checkpoints
    learner = rehearse_training(competition, bare, place, made)
    try:
        soup = HOWS[how](learner, contents, metric)
        _check_same_samples(learner, runs)
        _say(soup, found, metric, made.fold)
        _keep(learner, soup, config, made, how)
    finally:
        for loader in (learner.dls.train, learner.dls.valid):
            stop_workers(loader)


def _say(soup: Soup, found: Sequence[Ingredient], metric: Metric, fold: int) -> None:
    sign, width = 1 if metric.maximise else -1, max(len(one.name) for one in found)
    print(f"fold {fold}, {metric.name}: each alone (* is in the soup), and the soup")
    for one in sorted(found, key=lambda one: -one.score):
        print(f"{'*' if one in soup.members else ' '} {one.name:{width}}  {sign * one.score:.4f}")
    what = f"mean of {len(soup.members)}" if len(soup.members) > 1 else "the best one alone"
    gain = sign * (soup.score - max(one.score for one in found))
    print(f"  {what:{width}}  {sign * soup.score:.4f}  {gain:+.4f}")


def _check_same_samples(learner: Learner, runs: Sequence[Run]) -> None:
    """Raise where a member has learnt from what the soup is validated on."""
    assert learner.evaluation is not None
    ids = set(learner.evaluation[IMAGE_ID])
    for run in (run for run in runs if run.oof_file.exists()):
        other = ids ^ set(read_oof_file(run.oof_file, columns=[IMAGE_ID])[IMAGE_ID])
        if other:
            raise KitError(
                f"expected the samples that {run.name} was validated on, {len(other)} differ: "
                f"{some(sorted(other))}; the folds were made anew since, train it anew"
            )


def _keep(learner: Learner, soup: Soup, config: Config, made: Run, how: str) -> None:
    """Write the run: config, checkpoint, out-of-fold file, summary."""
    learner.model.load_state_dict(soup.content["weights"])  # the last one tried may be another
    learner.validate()
    run, sources = Run.create(made.folder, config), [one.name for one in soup.members]
    try:
        known = {**facts(learner, config, run), "epoch": 0, "soup": sources}
        save_checkpoint(run.best(), {**known, **soup.content})
        write_fold(learner, config, run.fold, run.oof_file)
        run.write_summary(
            status="finished",
            metrics=soup.content["scores"],
            best_epoch=None,
            seconds=0,
            config=config.model_dump(mode="json"),
            weights_sha256=hash_weights(soup.content["weights"]),
            soup={"how": how, "of": sources},
        )
    finally:
        unlock_run(run.folder)
    chosen = how == "greedy" and len(soup.members) > 1
    print(f"run folder: {run.folder}")
    if chosen:
        print("its members were chosen by the samples it is scored on: a little optimistic")
