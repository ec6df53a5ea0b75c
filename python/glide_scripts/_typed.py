"""Stub files that ``glide-scripts stubs`` wrote before 0.2 import this name from here."""

from .scripts.typed import TBatch as B

__all__ = ["B"]
