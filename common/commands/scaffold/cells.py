"""What the cells of a table say of its columns: real numbers, grades, or labels of 0 and 1."""

from collections.abc import Mapping, Sequence
from math import isfinite

MANY = 10  # different numbers, some with a fraction, from which on they are no classes
GRADES = range(3, 21)  # how many grades may be: labels 0, 1, 2, ...
MARKS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}  # cells of a column that says yes or no


def are_real(values: set[str], rows: int) -> bool:
    """Tell whether different cells of a column are numbers of which many, with fractions."""
    try:
        numbers = {float(value) for value in values if value.strip()}
    except ValueError:
        return False
    fractions = any(isfinite(number) and not number.is_integer() for number in numbers)
    return fractions and len(numbers) >= min(MANY, rows)


def are_grades(classes: Sequence[str]) -> bool:
    """Tell whether classes are 0, 1, 2 and so on, and few."""
    return len(classes) in GRADES and set(classes) == {str(k) for k in range(len(classes))}


def are_marks(distinct: Mapping[str, set[str]]) -> bool:
    """Tell whether two columns or more hold nothing but 0 and 1.

    Args:
        distinct: the different cells of each column.
    """
    return len(distinct) > 1 and all(cells <= MARKS.keys() for cells in distinct.values())


def are_one_hot(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> bool:
    """Tell whether exactly one of these columns of 0 and 1 is 1 in every row."""
    return all(sum(MARKS[row[column]] for column in columns) == 1 for row in rows)
