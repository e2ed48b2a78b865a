"""Numbers that are not finite: noticed before the optimiser moves, traced to where they began."""

from pathlib import Path

from common.callbacks.anomaly.callback import Anomalies, Anomaly
from common.callbacks.anomaly.report import Reporter
from common.config import Config
from common.loggers.base import Logger

__all__ = ["Anomalies", "Anomaly", "Reporter", "guards"]


def guards(config: Config, logger: Logger, folder: Path) -> list[Anomalies]:
    """Return the callback as `train.anomaly` wants it; reports go to `folder`."""
    policy = config.train.anomaly
    return [] if policy == "off" else [Anomalies(policy, Reporter(config, logger, folder))]
