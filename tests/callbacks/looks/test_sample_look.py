"""What is written over a picture of a sample."""

import pytest

from common.callbacks.looks.sample_look import title


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"truth": "paper", "prediction": "glass", "probability": 0.704}, "paper → glass (0.70)"),
        ({"truth": "paper", "prediction": "paper", "probability": 0.99}, "paper ✓ (0.99)"),
        ({"truth": "3 boxes", "prediction": "3 boxes", "score": 0.5}, "3 boxes → 3 boxes"),
        ({"truth": "2.0%"}, "2.0%"),  # of training, where nothing was predicted
    ],
)
def test_a_title_says_what_is_true_and_what_was_found_instead(row, said):
    words = title({"image_id": "a.jpg", **row, "loss": 0.014}).split(" | ")
    assert words[:2] == ["a.jpg", said]
    assert words[-1] == "loss 0.01"
    assert words[2:-1] == (["score 0.50"] if "score" in row else [])
