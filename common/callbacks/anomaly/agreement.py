"""What several processes found in their parts of a bad step becomes one finding."""

from dataclasses import replace

from common import distributed
from common.callbacks.anomaly.finding import NOWHERE, Finding
from common.callbacks.anomaly.moment import Moment
from common.callbacks.anomaly.report import plain


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
