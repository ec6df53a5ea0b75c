"""What is printed with styles."""

from rich.console import Console


class Output(Console):
    """A console for which a reader that left is the command's to handle, as with ``print``."""

    def on_broken_pipe(self) -> None:
        """Not the end of the process with 1."""
        raise BrokenPipeError
