"""The chapters of the report: their order, what each says, and which looks belong to it."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Section(NamedTuple):
    """A chapter; its looks are those whose file names begin so, in this order."""

    key: str  # of links within the page
    word: str  # in the navigation
    title: str
    text: str  # how to read it
    looks: tuple[str, ...]


SECTIONS = (
    Section(
        "confusion",
        "Confusion",
        "What is taken for what",
        "Rows are the truth, columns what the model says. Right is the diagonal, or what is blue.",
        ("valid_confusion", "valid_confusion_counts", "valid_most_confused"),
    ),
    Section(
        "curves",
        "Curves",
        "How well it ranks",
        "Every threshold at once: the closer a line keeps to the upper edge, the better.",
        ("valid_curves", "valid_precision_recall", "valid_class_scores"),
    ),
    Section(
        "errors",
        "Errors",
        "How far off it is",
        "Truth along, prediction up: a perfect model keeps to the dashed line.",
        ("valid_residuals", "valid_error"),
    ),
    Section(
        "confidence",
        "Confidence",
        "How sure it is",
        "A good model is sure and right: little in the middle, little that is sure and wrong.",
        ("valid_distribution", "valid_probability"),
    ),
    Section(
        "extremes",
        "Worst and best",
        "Worst and best samples",
        "The validation first, then what training itself finds hard.",
        ("valid_extremes", "train_extremes", "valid_extreme_batches", "train_extreme_batches"),
    ),
    Section(
        "labels",
        "Labels",
        "Labels that are probably wrong",
        "The most suspicious first: look at these before you tune anything.",
        ("valid_label_issues", "label_issues", "train_label_issues"),
    ),
    Section(
        "samples",
        "Over time",
        "The same samples, epoch by epoch",
        "How the answers change while the model learns; tap a picture and leaf through the epochs.",
        ("valid_predictions",),
    ),
    Section(
        "attention",
        "Attention",
        "What it looks at",
        "Warm colours mark what speaks for the answer; cold ones do not matter to it.",
        ("valid_activation",),
    ),
    Section(
        "groups",
        "Groups",
        "Which part of the data is worse",
        "The score of each group of samples: a weak group is where data or model lack something.",
        ("valid_breakdown",),
    ),
    Section("more", "More", "More", "", ("",)),
    Section(
        "gradients",
        "Gradients",
        "Whether every layer learns",
        "A layer that gets next to no gradient does not learn; one that gets too much breaks.",
        ("train_gradients", "train_gradient_layers"),
    ),
    Section(
        "time",
        "Time",
        "Where the time goes",
        "Seconds of each epoch by what they were spent on.",
        ("time_",),
    ),
)


TITLES = {
    "valid_confusion": "Share of each true class",
    "valid_confusion_counts": "Counts",
    "valid_most_confused": "Most frequent mistakes, with examples",
    "valid_class_scores": "Class by class",
    "valid_distribution": "Predictions by what is true",
    "valid_residuals": "Prediction against truth",
    "valid_extremes": "Validation",
    "valid_extreme_batches": "Whole batches of the validation",
    "train_extremes": "Training, as augmented",
    "train_extreme_batches": "Whole batches of the training",
    "valid_activation": "What speaks for the prediction, and for the truth where it is wrong",
    "train_gradients": "Norm and update of each layer",
    "train_gradient_layers": "Layer by layer",
    "time_parts": "Seconds of each epoch",
}
LEGENDS = {
    "segmentation": "The image, then its mask: green is found, yellow invented, red missed, dark "
    "does not count.",
    "detection": "Green boxes are the truth, yellow ones what the model found.",
}


def arrange(blocks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the sections that have something to show, each with its `blocks` in order.

    A block goes to the longest beginning of its name that a section lists.
    """
    placed: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for block in blocks:
        section, place = _home(block["name"])
        placed.setdefault(section.key, []).append((place, block))
    arranged = []
    for section in SECTIONS:
        found = sorted(placed.get(section.key, []), key=lambda item: (item[0], item[1]["name"]))
        if found:
            arranged.append({**section._asdict(), "blocks": [block for _, block in found]})
    return arranged


def _home(name: str) -> tuple[Section, int]:
    fitting = [
        (len(look), section, place)
        for section in SECTIONS
        for place, look in enumerate(section.looks)
        if name.startswith(look)
    ]
    _, section, place = max(fitting, key=lambda item: item[0])
    return section, place
