"""GLIDE's logger over Python's logging."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glide_scripts import Logger, LoggerError, LogLevel

LOGGER = logging.getLogger("glide_scripts")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    level = LOGGER.level
    yield
    Logger.set_logger_config(LogLevel.OFF)
    LOGGER.setLevel(level)
    Logger._is_set_up = False


def test_a_message_goes_to_the_logger_of_the_package(caplog: pytest.LogCaptureFixture) -> None:
    Logger.set_logger_config(LogLevel.INFO)
    assert Logger.logger_level is LogLevel.INFO
    Logger.log(LogLevel.WARN, "shop", "it is late")
    Logger.log(LogLevel.DEBUG, "shop", "not shown")
    Logger.log(LogLevel.OFF, "shop", "not shown")
    ((name, level, text),) = caplog.record_tuples
    assert (name, level, text) == ("glide_scripts", logging.WARNING, "shop - it is late")
    assert caplog.records[0].filename == Path(__file__).name


def test_an_exception_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    Logger.set_logger_config(LogLevel.ERROR)
    Logger.log(LogLevel.ERROR, "shop", "it failed", ValueError("boom"))
    assert "ValueError: boom" in caplog.text


@pytest.mark.parametrize(
    ("level", "of_python"),
    [
        (None, logging.WARNING),
        (LogLevel.ERROR, logging.ERROR),
        (LogLevel.DEBUG, logging.DEBUG),
        (LogLevel.TRACE, 5),
        (LogLevel.OFF, logging.CRITICAL + 1),
    ],
)
def test_a_level_is_python_s(level: LogLevel | None, of_python: int) -> None:
    Logger.set_logger_config(level)
    assert LOGGER.level == of_python


def test_init_sets_up_only_once() -> None:
    levels = [LogLevel.ERROR, LogLevel.INFO]
    Logger.set_logger_config(levels[0])
    Logger.init(levels[1])
    assert Logger.logger_level == levels[0]
    Logger.set_logger_config(levels[1])
    assert Logger.logger_level == levels[1]


def test_messages_go_to_a_file_until_another_is_set(tmp_path: Path) -> None:
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    Logger.set_logger_config(LogLevel.INFO, str(first))
    Logger.log(LogLevel.INFO, "shop", "one")
    Logger.set_logger_config(LogLevel.INFO, str(second))
    Logger.log(LogLevel.INFO, "shop", "two")
    assert first.read_text().rstrip().endswith("INFO glide_scripts - shop - one")
    assert second.read_text().rstrip().endswith("INFO glide_scripts - shop - two")


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    Logger.set_logger_config(LogLevel.ERROR)
    with pytest.raises(LoggerError, match=r"file_name is .*none/log.*; pass the path of a file"):
        Logger.set_logger_config(LogLevel.INFO, str(tmp_path / "none/log"))
    assert Logger.logger_level is LogLevel.ERROR


def test_arguments_of_other_types_are_refused() -> None:
    wrong: Any = "INFO"
    with pytest.raises(TypeError, match="level is str; pass a member of LogLevel"):
        Logger.set_logger_config(wrong)
    with pytest.raises(TypeError, match="log_level is str; pass a member of LogLevel"):
        Logger.log(wrong, "shop", "text")
    wrong = 5
    with pytest.raises(TypeError, match="file_name is int; pass str"):
        Logger.init(LogLevel.INFO, wrong)


PROGRAM = """
from glide_scripts import Logger, LogLevel
Logger.log(LogLevel.WARN, "shop", "it is late")
Logger.log(LogLevel.INFO, "shop", "not shown")
"""


def test_without_any_setting_up_warnings_go_to_standard_error() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=300
    )
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.endswith("WARNING glide_scripts - shop - it is late")
