"""Where do Parsl's processes log? Each into a file of bounded size, and without a word where that cannot be written."""

import logging
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from parsl.log_utils import DEFAULT_FORMAT
from parsl.logconfigs.base import LogConfig

_BYTES = 4_000_000  # of a file; the one before it is kept
_LOGGERS = ("parsl", "concurrent.futures")  # the second says what callbacks raise


class BoundedLogging(LogConfig):
    """Parsl's own log files, which no fault can make fill a disk."""

    def initialize_logging(self, *, log_dir: Path, log_name: str) -> Callable[[], None]:
        """Log to ``log_dir/log_name.log`` until what is returned is called."""
        log_dir.mkdir(parents=True, exist_ok=True)
        handler = _Quiet(log_dir / f"{log_name}.log", maxBytes=_BYTES, backupCount=1)
        handler.setFormatter(logging.Formatter(DEFAULT_FORMAT, datefmt="%Y-%m-%d %H:%M:%S"))
        loggers = [logging.getLogger(name) for name in _LOGGERS]
        for logger in loggers:
            logger.setLevel(logging.INFO)
            logger.addHandler(handler)

        def end() -> None:
            for logger in loggers:
                logger.removeHandler(handler)
            handler.close()

        return end


class _Quiet(RotatingFileHandler):
    """On a full disk each line would cost a traceback on standard error."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing."""
