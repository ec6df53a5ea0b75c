"""What is printed with styles."""

from rich.console import Console


class Output(Console):
    """A console that raises an error when its reader has left, like ``print``."""

    def on_broken_pipe(self) -> None:
        """Not the end of the process with 1."""
        raise BrokenPipeError
