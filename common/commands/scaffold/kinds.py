"""What an image's target may be in a classification, and what kit new writes for each."""

from dataclasses import dataclass, field
from typing import Literal

KindName = Literal["label", "numbers", "marks", "one_hot", "words"]

HARD = (
    "    return pd.DataFrame({ID: predictions[IMAGE_ID], TARGET: probabilities.idxmax(axis=1)})\n"
)
SOFT = "    return pd.concat([predictions[IMAGE_ID].rename(ID), {}], axis=1)\n"
COLUMNS = SOFT.format("probabilities")
JOINED = """\
    labels = join_labels(probabilities, thresholds, SEPARATOR)
    return pd.DataFrame({ID: predictions[IMAGE_ID], TARGET: labels})
"""
RANGE = 'dtype="real", low=0, high=1'
HINT = (
    '\n    # target="ordinal",  # if the classes are grades, the lowest first; '
    'metric="quadratic_kappa"'
)
CLASSES = {
    "metric": "accuracy",
    "watch": "macro_f1",
    "classes_word": "Classes",
    "classes_comment": "",
    "predicted": "a probability per class",
    "variable": "probabilities",
    "folds": "",
    "target": "",
    "import_cuts": "",
    "cuts": "",
    "give_cuts": "",
    "cut_by": "",
}
SEVERAL = {
    **CLASSES,
    "folds": ', fold_kind="multilabel_stratified"',
    "target": "\n    multilabel=True,  # any number of classes per image",
}
MARKS = {
    **SEVERAL,
    "metric": "mean_column_auc",
    "watch": "mean_column_log_loss",
    "rules": RANGE,
    "frame_imports": "attach_paths, check_multilabel, read_csv",
    "more_imports": "",
    "check": "check_multilabel",
    "targets": "0 or 1 for each class",
}
NUMBERS = {
    **CLASSES,
    "metric": "rmse",
    "watch": "mae",
    "classes_word": "Predicted numbers",
    "classes_comment": "  # columns to predict",
    "predicted": "the predicted numbers",
    "variable": "numbers",
    "rules": 'dtype="real"',
    "frame_imports": "attach_paths, read_csv",
    "more_imports": "from common.data.targets import check_values\n",
    "check": "check_values",
    "targets": "the numbers to predict",
    "target": '\n    target="regression",  # the classes are columns of real numbers',
}
WORDS = {
    **SEVERAL,
    "metric": "sample_f1",
    "watch": "average_precision",
    "import_cuts": "from common.inference.label_thresholds import label_thresholds\n",
    "cuts": "    thresholds = label_thresholds(checkpoints, options)  # as kit oof found best\n",
    "give_cuts": ", thresholds",
    "cut_by": ", thresholds: list[float]",
}


@dataclass(frozen=True)
class Kind:
    """How the labels are read, what the config says of them, and the end of to_submission."""

    reader: str  # template of the beginning of data.py
    to_submission: str
    values: dict[str, str] = field(default_factory=lambda: CLASSES)
    found: str = "found {count} classes: {names}"


KINDS: dict[KindName, Kind] = {
    "label": Kind("data_csv.py", HARD),
    "numbers": Kind(
        "data_columns.py",
        SOFT.format("numbers"),
        NUMBERS,
        "found real numbers in {names}: a regression, with metric rmse (see config.py)",
    ),
    "marks": Kind(
        "data_columns.py",
        COLUMNS,
        MARKS,
        "found 0 and 1 in {names}, not always a single 1 in a row: any number of {count} classes "
        "per image, with metric mean_column_auc; if they are something else, mend classes, "
        "multilabel and metric in config.py and read_train in data.py",
    ),
    "one_hot": Kind(
        "data_one_hot.py",
        COLUMNS,
        {**CLASSES, "rules": RANGE},
        "found 0 and a single 1 in each row of {names}: one of {count} classes per image",
    ),
    "words": Kind(
        "data_words.py",
        JOINED,
        WORDS,
        "found words in one cell, any number of {count} classes per image: {names}; with metric "
        "sample_f1",
    ),
}
