"""What several processes found in their parts of a bad step becomes one finding."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from torch import nn

from common import distributed
from common.callbacks.anomaly.finding import NOWHERE, Finding
from common.callbacks.anomaly.moment import Moment
from common.callbacks.anomaly.report import plain


@contextmanager
def by_itself(model: nn.Module) -> Iterator[None]:
    """Within, the process runs the model on its own part: others may have nothing to replay."""
    norms = [module for module in model.modules() if isinstance(module, nn.SyncBatchNorm)]
    groups = [norm.process_group for norm in norms]
    with distributed.alone() as own:
        for norm in norms:
            norm.process_group = own
        try:
            yield
        finally:
            for norm, group in zip(norms, groups, strict=True):
                norm.process_group = group


def agree(finding: Finding | None, moment: Moment) -> tuple[Finding | None, Moment]:
    """Return, in every process, what the first one of them found that found anything."""
    if distributed.size() == 1:
        return finding, moment
    told = None
    if finding is not None:
        told = finding, replace(moment, batch=plain(moment.batch), raw={}, buffers=[], loss=None)
    found = [one for one in distributed.gather(told) if one is not None]
    found.sort(key=lambda one: one[0].place == NOWHERE)  # what explains it first
    return found[0] if found else (None, moment)
