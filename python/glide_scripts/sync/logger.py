"""The logger, under the name that GLIDE's module has."""

from ..logger import Level, Logger, LogLevel

__all__ = ["Level", "LogLevel", "Logger"]
