"""What the templates of a classification say of classes, several labels and numbers."""

CLASSES = {
    "metric": "accuracy",
    "watch": "macro_f1",
    "classes_word": "Classes",
    "classes_comment": "",
    "predicted": "a probability per class",
    "variable": "probabilities",
    "folds": "",
}
SEVERAL = {
    **CLASSES,
    "metric": "mean_column_auc",
    "watch": "mean_column_log_loss",
    "folds": ', fold_kind="multilabel_stratified"',
    "target": "\n    multilabel=True,  # any number of classes per image, a column of 0 and 1 each",
    "frame_imports": "attach_paths, check_multilabel, read_csv",
    "more_imports": "",
    "check": "check_multilabel",
    "targets": "zeros and ones of each class",
}
NUMBERS = {
    "metric": "rmse",
    "watch": "mae",
    "classes_word": "Predicted numbers",
    "classes_comment": "  # columns to predict",
    "predicted": "the predicted numbers",
    "variable": "numbers",
    "folds": "",
    "rules": 'dtype="real"',
    "frame_imports": "attach_paths, read_csv",
    "more_imports": "from common.data.targets import check_values\n",
    "check": "check_values",
    "targets": "the numbers to predict",
    "target": '\n    target="regression",  # the classes are columns of real numbers',
}
HINT = (
    '\n    # target="ordinal",  # if the classes are grades, the lowest first; '
    'metric="quadratic_kappa"'
)
