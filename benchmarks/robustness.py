"""Hostile and damaged files against every command that reads one: no traceback, nothing over 10 seconds, nothing over 2 GB.

    python benchmarks/robustness.py --tries 2500

A try takes a file of the corpus (tests/core/cases, and one of each format made here), damages it (bytes flipped, cut, doubled,
hostile text put in), gives it to one command, and looks at the exit status and at standard error. Try i depends on i alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from types import FrameType

import numpy as np

from asymtheory.cli import main

ROOT = Path(__file__).parents[1]
COMMANDS = (
    ("noise", "{}"),
    ("bound", "--loss", "amse", "--noise", "{}"),
    ("check", "--loss", "mae", "--noise", "{}"),
    ("select", "--labels", "{}", "--clean", "{}"),
    ("select", "--transition", "{}"),
    ("select", "--posteriors", "{}"),
    ("select", "--annotators", "{}"),
    ("labels", "inspect", "{}"),
)
HOSTILE = (
    b"\x00", b"\xff\xfe", b"\x1b[2J", b"--><meta http-equiv=refresh>", b"=cmd()", b"1e308", b"-1e308", b"nan", b"inf", b"1e400",
    b"9" * 5000, b"[" * 2000, b"\"", b";", b"\t", b"\r\n", b"\xc3\xa4", b"\xe4", b"\\ud800", b"-5", b"1/0", b",,,,", b"#", b"none",
)  # fmt: skip
SECONDS, BYTES = 10, 2 * 2**30


def corpus(folder: Path) -> list[Path]:
    """The cases of real use, and one small file of each array format."""
    found = sorted(path for path in (ROOT / "tests/core/cases").rglob("*") if path.is_file())
    np.save(folder / "t.npy", np.array([[0.9, 0.1], [0.2, 0.8]]))
    np.savez(folder / "p.npz", clean=[0, 0, 1, 1], noisy=[0, 1, 1, 1])
    (folder / "r.jsonl").write_text('{"clean": 0, "noisy": 1}\n{"clean": 1, "noisy": 1}\n{"clean": 0, "noisy": 0}\n')
    (folder / "t.json").write_text('{"T": [[0.9, 0.1], [0.2, 0.8]], "names": ["cat", "dog"]}')
    return [*found, *(folder / name for name in ("t.npy", "p.npz", "r.jsonl", "t.json"))]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The bytes with one to four damages."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at:at] = rng.choice(HOSTILE)
        elif kind == 3:
            data[at:at] = data[: rng.randrange(len(data) + 1)]
        else:
            del data[at : at + rng.randrange(1, 20)]
    return bytes(data)


def attempt(arguments: list[str]) -> str:
    """``answered``, ``refused``, or what went wrong."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(arguments)
    except TimeoutError:
        return "hang"
    except BaseException:
        return "traceback: " + traceback.format_exc().strip().splitlines()[-1]
    text = err.getvalue()
    if status == 2:
        return (
            "refused"
            if text.count("\n") == 1 and text[:-1].isprintable() and not out.getvalue()
            else f"refusal: {text!r}"
        )
    printed = out.getvalue().replace("\n", "")
    return "answered" if status in (0, 1) and printed.isprintable() else f"status {status}: {printed[:80]!r}"


def stop(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def run(tries: int, first: int = 0) -> tuple[Counter[str], list[str]]:
    """Tries first..first+tries-1: how many ended how, and those that ended badly."""
    signal.signal(signal.SIGALRM, stop)
    counts: Counter[str] = Counter()
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        files = corpus(Path(name))
        for i in range(first, first + tries):
            rng = random.Random(i)
            source, command = rng.choice(files), rng.choice(COMMANDS)
            target = Path(name) / f"try{source.suffix}"
            target.write_bytes(damaged(source.read_bytes(), rng))
            signal.alarm(SECONDS)
            found = attempt([part.format(target) for part in command])
            signal.alarm(0)
            counts[found.split(":")[0]] += 1
            if found not in ("answered", "refused"):
                bad.append(f"try {i} ({command[0]}, {source.name}): {found}"[:300])
    return counts, bad


def report() -> int:
    """The command line; 1 where a try ended badly or the memory went over the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tries", type=int, default=2500)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    start = time.perf_counter()
    counts, bad = run(given.tries, given.first)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{given.tries} tries in {time.perf_counter() - start:.0f} s: {dict(counts)}; peak memory {peak / 2**30:.2f} GiB"
    )
    print("\n".join(bad))
    return 1 if bad or peak > BYTES else 0


if __name__ == "__main__":
    sys.exit(report())
