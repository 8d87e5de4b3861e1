"""``python -m asymtheory_training train ...``, which torchrun can start in several processes; commands as of ``asymtheory``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from asymtheory.cli import main

TOGETHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun tells its processes


def launched(environment: Mapping[str, str] = os.environ) -> bool:
    """Has torchrun, or a like launcher, started this process together with others?"""
    size = environment.get("WORLD_SIZE", "")
    return size.isdigit() and int(size) > 1 and all(name in environment for name in TOGETHER)


def start(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status. ``train`` runs in all processes as one, other commands in the first alone."""
    if not launched():
        return main(arguments)
    if arguments[:1] != ["train"]:
        return main(arguments) if os.environ["RANK"] == "0" else 0
    from .commands.train import train
    from .distributed import together

    return together(lambda: train(list(arguments[1:])))


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
