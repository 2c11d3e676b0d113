"""``python -m fastgrad``: one module for each command, imported when the command is asked for."""


class Failure(Exception):
    """What the user should know, with nothing of the program's insides; the command exits with status 1."""
