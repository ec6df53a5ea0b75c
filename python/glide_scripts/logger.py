"""GLIDE's way to set up logging, over Python's ``logging`` and its logger ``glide_scripts``."""

from __future__ import annotations

import logging
from enum import Enum

from . import checks
from .errors import LoggerError
from .public import show_as_public

__all__ = ["Level", "LogLevel", "Logger"]

TRACE = 5


class LogLevel(Enum):
    """What is logged: messages of this level, and more important ones."""

    ERROR = 0
    """What failed."""

    WARN = 1
    """What needs attention, such as a lost connection."""

    INFO = 2
    """What happened, such as a failover."""

    DEBUG = 3
    """Details."""

    TRACE = 4
    """More details than this library logs."""

    OFF = 5
    """Nothing."""


_LEVELS = {
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARN: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.TRACE: TRACE,
    LogLevel.OFF: logging.CRITICAL + 1,
}
_LOGGER = logging.getLogger("glide_scripts")
# The handler that was added last, if any.
_OWN: list[logging.Handler] = []


class Logger:
    """GLIDE's logger. It sets up the logger ``glide_scripts`` of Python's ``logging``.

    Args:
        level: What to log; None means ``LogLevel.WARN``.
        file_name: The file to append to. None means the handlers that the program has set up, and
            standard error if there are none.

    Raises:
        TypeError: ``level`` is not a ``LogLevel``, or ``file_name`` is not a str.
        LoggerError: The file cannot be opened.
    """

    _is_set_up = False

    logger_level = LogLevel.OFF
    """The level that was set last."""

    def __init__(self, level: LogLevel | None = None, file_name: str | None = None) -> None:
        level = LogLevel.WARN if level is None else checks.member("level", level, LogLevel)
        checks.optional(checks.of_type, "file_name", file_name, str, "str")
        handler = _handler(file_name)
        while _OWN:
            _LOGGER.removeHandler(_OWN[-1])
            _OWN.pop().close()
        if handler is not None:
            _OWN.append(handler)
            _LOGGER.addHandler(handler)
        _LOGGER.setLevel(_LEVELS[level])
        Logger.logger_level = level
        Logger._is_set_up = True

    @classmethod
    def init(cls, level: LogLevel | None = None, file_name: str | None = None) -> None:
        """Set up logging, unless this was done before.

        Args:
            level: As for the class.
            file_name: As for the class.

        Raises:
            LoggerError: The file cannot be opened.
        """
        if not Logger._is_set_up:
            cls(level, file_name)

    @classmethod
    def set_logger_config(cls, level: LogLevel | None = None, file_name: str | None = None) -> None:
        """Set up logging in place of what was set up before.

        Args:
            level: As for the class.
            file_name: As for the class.

        Raises:
            LoggerError: The file cannot be opened.
        """
        cls(level, file_name)

    @classmethod
    def log(
        cls,
        log_level: LogLevel,
        log_identifier: str,
        message: str,
        err: Exception | None = None,
    ) -> None:
        """Log a message of the program.

        Args:
            log_level: How important it is.
            log_identifier: What it is about.
            message: The message.
            err: The exception that it is about; its traceback is logged, too.

        Raises:
            TypeError: ``log_level`` is not a ``LogLevel``.
        """
        checks.member("log_level", log_level, LogLevel)
        cls.init()
        if log_level is not LogLevel.OFF:
            _LOGGER.log(
                _LEVELS[log_level], "%s - %s", log_identifier, message, exc_info=err, stacklevel=2
            )


def _handler(file_name: str | None) -> logging.Handler | None:
    if file_name is not None:
        try:
            handler: logging.Handler = logging.FileHandler(file_name, encoding="utf-8")
        except OSError as error:
            raise LoggerError(
                f"file_name is {file_name!r}, which cannot be opened: {error.strerror}; pass the "
                "path of a file that can be written"
            ) from None
    elif _has_other_handlers():
        return None
    else:
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s - %(message)s"))
    return handler


def _has_other_handlers() -> bool:
    others = [each for each in _LOGGER.handlers if each not in _OWN]
    return bool(others or logging.getLogger().handlers)


Level = LogLevel

show_as_public(globals())
