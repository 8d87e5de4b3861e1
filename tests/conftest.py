"""Set before any library is imported: figures draw without a screen, and each of the two test processes uses one core."""

import os
import signal

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A shell starts what it puts in the background with Ctrl-C ignored; tests of Ctrl-C send it to children, which inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Messages are written in the words of options; that Python reads them in those of arguments has a test of its own.
from asymtheory.errors import InputError  # noqa: E402

InputError.options = True


@pytest.fixture(scope="session", autouse=True)
def _as_in_a_pipe() -> None:
    """Answers have their full width: pytest-xdist sets COLUMNS in its processes, as a terminal would."""
    os.environ.pop("COLUMNS", None)
