"""Activation maps against a plain forward of the same images, in turns: goal at most 1.2 times.

`python tests/benchmarks/cam.py --model resnet18 --images 16 --size 224`
"""

import argparse
import os
import time

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1")
import numpy as np
import timm
import torch
from table import tell

from common.keys import IMAGE
from common.models.cam import activation_maps
from common.models.cam_aims import aim_at_class
from common.models.classifier import Classifier


def main(given: argparse.Namespace) -> None:
    """Print the median of the ratios of neighbouring runs, for one class and for two."""
    torch.manual_seed(0)
    body = timm.create_model(given.model, num_classes=10)
    model = Classifier(body, {"mean": (0.5,) * 3, "std": (0.25,) * 3}).eval()
    shape = (given.images, 3, given.size, given.size)
    batch = {IMAGE: torch.randint(0, 256, shape, dtype=torch.uint8)}
    aim = aim_at_class([number % 10 for number in range(given.images)])

    def plain() -> None:
        with torch.inference_mode():
            model(batch)

    ratios: dict[str, list[float]] = {"one class": [], "two classes": []}
    for _ in range(given.rounds):
        base = seconds(plain)
        for name, aims in (("one class", [aim]), ("two classes", [aim, aim])):
            ratios[name].append(
                seconds(lambda aims=aims: activation_maps(model, batch, aims)) / base
            )
    for name, found in ratios.items():
        low, high = min(found), max(found)
        what = f"activation maps, {name}, {given.model} at {given.size} px"
        tell(what, "a forward pass", float(np.median(found)), 1.2)
        print(
            f"activation maps, {name:11} {np.median(found):.3f} of a forward "
            f"({low:.3f} to {high:.3f}); {given.images} images, {given.model} at {given.size} px"
        )


def seconds(run) -> float:
    """Return the processor time of one run: other work on the machine is not counted."""
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=7)
    torch.set_num_threads(1)
    main(parser.parse_args())
