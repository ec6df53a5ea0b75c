"""A command that cannot be carried out."""


class Failure(Exception):
    """What to tell the person at the terminal, and the exit code that goes with it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
