"""Stub files that ``glide-scripts stubs`` wrote before 0.2 import this name from here."""

from .scripts.library import TypedLibrary

__all__ = ["TypedLibrary"]
