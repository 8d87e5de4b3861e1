"""The commands of the extra `training`, each loaded when it is named."""

from __future__ import annotations


def train(arguments: list[str]) -> int:
    """``asymtheory train``: see :mod:`.train_command`."""
    from .train_command import train as run

    return run(arguments)


def labels(arguments: list[str]) -> int:
    """``asymtheory labels``: see :mod:`.label_command`."""
    from .label_command import labels as run

    return run(arguments)


def sweep(arguments: list[str]) -> int:
    """``asymtheory sweep``: see :mod:`.sweep_command`."""
    from .sweep_command import sweep as run

    return run(arguments)


def confirm(arguments: list[str]) -> int:
    """``asymtheory confirm``: see :mod:`.confirm_command`."""
    from .confirm_command import confirm as run

    return run(arguments)
