"""What the looks of several processes collected comes together before one of them looks."""

from collections.abc import Sequence
from typing import Any

from common import distributed
from common.callbacks.base import Callback
from common.callbacks.looks.base import Look


class Share(Callback):
    """Hands what each process's looks collected to the first process's, once per epoch.

    One message for all: a look that failed somewhere lends nothing, and nobody waits for it.
    """

    order, run_valid = Look.order - 1, False

    def __init__(self, looks: Sequence[Look]) -> None:
        self.looks = list(looks)

    def after_epoch(self) -> None:
        lent = [None if look.failed else self._lend(look) for look in self.looks]
        parts = distributed.gather(lent)
        if distributed.is_first():
            for look, *theirs in zip(self.looks, *parts, strict=True):
                self._take(look, [part for part in theirs if part is not None])

    def _lend(self, look: Look) -> Any:
        try:
            return look.lend()
        except Exception as error:
            look.give_up(error)
            return None

    def _take(self, look: Look, parts: list[Any]) -> None:
        if look.failed or not parts:
            return
        try:
            look.take(parts)
        except Exception as error:
            look.give_up(error)


def shared(looks: Sequence[Look]) -> list[Any]:
    """Return the looks of this process, with what brings them together if there are several.

    Only the first one looks; the others have those alone that collect while batches come.
    """
    if distributed.size() == 1:
        return list(looks)
    lending = [look for look in looks if type(look).lend is not Look.lend]
    return [Share(lending), *(looks if distributed.is_first() else lending)]
