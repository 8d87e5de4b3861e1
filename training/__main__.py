"""``python -m asymtheory_training train ...``, which torchrun can start too; the commands are those of ``asymtheory``."""

from __future__ import annotations

import sys

from asymtheory.cli import main

if __name__ == "__main__":
    sys.exit(main())
