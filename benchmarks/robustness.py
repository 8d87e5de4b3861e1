"""Hostile and damaged input against every command: no traceback, nothing over 10 seconds, nothing over 2 GB.

    python benchmarks/robustness.py --tries 3000
    python benchmarks/robustness.py --only checkpoints

Each area makes its tries from a corpus (files of real use, the package's own plans, results and folders) and from what hypothesis
draws; its share of all tries is in AREAS. A try is one command in this process: it must answer (status 0 or 1, printable text)
or refuse (status 2, nothing on standard output, one printable line on standard error). Try i of an area is the same every time.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from asymtheory.cli import main

ROOT = Path(__file__).parents[1]
SECONDS, WAIT, BYTES = 10, 120, 2 * 2**30  # of the processor; of the clock, where other work goes on; of memory
HOSTILE = (
    b"\x00", b"\xff\xfe", b"\x1b[2J", b"--><meta http-equiv=refresh>", b"=cmd()", b"1e308", b"-1e308", b"nan", b"inf", b"1e400",
    b"9" * 5000, b"[" * 2000, b"\"", b";", b"\t", b"\r\n", b"\xc3\xa4", b"\xe4", b"\\ud800", b"-5", b"1/0", b",,,,", b"#", b"none",
)  # fmt: skip
NAMES = (
    "--><meta http-equiv=refresh content=0>", "\x1b[2J\x1b]0;x\x07", "two\nlines", "=cmd|'/c calc'!A1", "$\\frac{", "a|b",
    "[x](javascript:1)", "\\input{/etc/passwd}", "\u202eabc", "\ud800", "", " ", "x" * 5000, "../../etc", "a\x00b", "-",
)  # fmt: skip
NUMBERS = (
    "0", "1", "2", "-1", "0.4", "1/3", "4/5", "1/0", "nan", "inf", "1e308", "1e-308", "1e400", "-1e400", "9" * 5000, "0x10", "１",
    "1_0", "1e9", "1000000000", "100000000000000000000", "", " ", "0.5,0.6", "0.1:0.9", "1e", ".",
)  # fmt: skip

Arguments = list[str]
Area = Callable[[Path, int], Iterator[Arguments]]


class Hang(BaseException):  # no handler of errors may take it for one
    """A try that takes too long."""


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """So many examples, the same every time."""
    found: list[Any] = []

    @seed(1)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found[:count]


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


# ----------------------------------------------------------------------------------------------------------- the areas

READERS = (
    ("noise", "{}"),
    ("bound", "--loss", "amse", "--noise", "{}"),
    ("check", "--loss", "mae", "--noise", "{}"),
    ("guarantee", "--loss", "mae", "--noise", "{}"),
    ("select", "--labels", "{}", "--clean", "{}"),
    ("select", "--transition", "{}"),
    ("select", "--posteriors", "{}", "--format", "markdown"),
    ("select", "--annotators", "{}"),
    ("labels", "inspect", "{}"),
    ("train", "--labels", "{}", "--subset", "100", "--epochs", "1", "--width", "0.1"),
    ("train", "--data", "{}", "--epochs", "1", "--width", "0.1"),
)


def label_files(folder: Path, count: int) -> Iterator[Arguments]:
    """Files of labels, tables, votes and features: the cases of real use and one of each format, damaged; columns by any name."""
    files = sorted(path for path in (ROOT / "tests/core/cases").rglob("*") if path.is_file())
    np.save(folder / "t.npy", np.array([[0.9, 0.1], [0.2, 0.8]]))
    np.savez(folder / "p.npz", clean=[0, 0, 1, 1], noisy=[0, 1, 1, 1])
    (folder / "r.jsonl").write_text('{"clean": 0, "noisy": 1}\n{"clean": 1, "noisy": 1}\n{"clean": 0, "noisy": 0}\n')
    (folder / "t.json").write_text('{"T": [[0.9, 0.1], [0.2, 0.8]], "names": ["cat", "dog"]}')
    files += [folder / name for name in ("t.npy", "p.npz", "r.jsonl", "t.json")]
    for i in range(count):
        rng = random.Random(i)
        source, command = rng.choice(files), rng.choice(READERS)
        if i % 10 == 0:  # whole, under hostile names
            target = folder / "named.csv"
            names = [rng.choice(NAMES).encode("utf-8", "replace").decode() for _ in range(3)]
            rows = [[json.dumps(rng.choice(names), ensure_ascii=False) for _ in range(2)] for _ in range(30)]
            target.write_text("\n".join(",".join(row) for row in [["clean", "noisy"], *rows]))
        else:
            target = folder / f"try{source.suffix}"
            target.write_bytes(damaged(source.read_bytes(), rng))
        yield [part.format(target) for part in command]


OPTIONS: dict[str, tuple[str, ...]] = {
    "bound": ("--loss", "--solve", "--set", "--K", "--eta", "--noise", "--domain", "--formula", "--passive"),
    "check": ("--loss", "--set", "--weights", "--noise", "--K", "--eta", "--formula"),
    "ratio": ("--loss", "--set", "--formula", "--domain"),
    "noise": ("--K", "--eta"),
    "guarantee": ("--loss", "--set", "--K", "--eta", "--logits", "--samples", "--models"),
    "select": (
        "--noise",
        "--K",
        "--eta",
        "--confidence",
        "--labels",
        "--clean",
        "--format",
        "--plot",
        "--write-config",
    ),
    "experiment": ("--loss", "--set", "--sweep", "--draws", "--starts", "--steps", "--K", "--workers", "--resume"),
    "verify": ("--claim", "--paper", "--format", "--file", "--workers"),
    "losses": (),
    "figure": ("--list", "--option", "--width", "--dpi", "--format", "--out"),
    "table": ("--list", "--results", "--dataset", "--format"),
    "report": ("--noise", "--K", "--eta", "--figures", "--out"),
    "train": (
        "--loss",
        "--set",
        "--dataset",
        "--model",
        "--width",
        "--epochs",
        "--threads",
        "--noise",
        "--eta",
        "--dry-run",
    ),
    "sweep": ("--set", "--only", "--jobs", "--dry-run", "--scheduler"),
    "confirm": ("--loss", "--seeds", "--values", "--plan", "--set", "--only", "--dry-run", "--width"),
    "tune": ("--losses", "--budget", "--epochs", "--write-config", "--dataset"),
    "labels": ("--K", "--eta", "--seed", "--out"),
    "features": ("--backbone", "--size", "--batch", "--out"),
}


def words() -> st.SearchStrategy[str]:
    plain = st.sampled_from((*NAMES, *NUMBERS, "amse", "mae", "jal-ce", "symmetric", "cifar10n-worse", "digits", "a=1", "q=1e400",
                             "loss=mae", "jal-table3", "confirm-grid", "/dev/zero", "/dev/full", ".", "x.png", "~"))  # fmt: skip
    return (
        plain
        | st.text(max_size=20)
        | st.builds("{}={}".format, st.sampled_from(("a", "q", "K", "seeds", "width")), plain)
    )


def arguments(folder: Path, count: int) -> Iterator[Arguments]:
    """Every command with options of its own and any words; what would train is only planned, or refused."""
    for command, options in OPTIONS.items():
        option = st.sampled_from(options or ("--json",))
        given_ = st.lists(st.tuples(option, words()) | st.tuples(words()), max_size=4)
        for example in drawn(given_, -(-count // len(OPTIONS))):
            line = [word.replace("\x00", "?") if len(word) < 10 else word for part in example for word in part]
            tail = {"train": ["--dry-run"], "sweep": ["--dry-run"], "tune": ["--epochs", "0"], "figure": ["--list"],
                    "report": ["--figures", "no such figure"], "verify": ["--claim", "jal-thm41", "--quick"],
                    "experiment": ["--draws", "2", "--steps", "2"], "confirm": ["--seeds", "0"],
                    "features": ["--subset", "0"]}.get(command, [])  # fmt: skip
            yield [command, *(["weighted-risk"] if command == "experiment" else []), *line, *tail]


def formulas(folder: Path, count: int) -> Iterator[Arguments]:
    """Losses in the language of formulas, wilder ones, and text that is none."""
    falling = st.sampled_from(
        ("1-u", "-log(u)", "(1-u)**a", "(1-u**a)/a", "exp(-a*u)", "1/(u+a)", "max(1-a*u,0)", "((a+1)**q-(a+u)**q)/q", "sqrt(1-u)",
         "1-a*u", "a**(1-u)", "log(1+a*(1-u))", "abs(1-u)", "1e300*(1-u)", "1e-20*(1-u)", "(1-u)/u", "1/u**9", "(1-u)**a/u")
    )  # fmt: skip
    leaves = st.sampled_from(("u", "a", "q", "0", "1", "2", "1/3", "1e300", "u**2", "log(u)", "(1-u)", "-u"))
    wild = st.recursive(
        leaves,
        lambda inner: (
            st.builds("({}{}{})".format, inner, st.sampled_from(("+", "-", "*", "/", "**")), inner)
            | st.builds("{}({})".format, st.sampled_from(("exp", "log", "sqrt", "abs")), inner)
            | st.builds("{}({},{})".format, st.sampled_from(("min", "max")), inner, inner)
        ),
        max_leaves=6,
    )
    losses = (
        falling
        | st.builds("({}){}({})".format, falling, st.sampled_from(("+", "*")), falling)
        | st.builds("{}({},{})".format, st.sampled_from(("min", "max")), falling, falling)
        | st.builds("({})+({})*({})".format, falling, leaves, falling)
    )
    junk = st.text("ua1.,()*+-/^ \x1b\n_λ'\"", max_size=30)
    junk |= st.sampled_from(("(" * 5000, "-" * 9000, "u" + "**9" * 500, "u." + "9" * 5000))
    domains = st.sampled_from(("a=:", "a=-1:1", "a=-1:inf", "a=1:0", "a=0:1e300", "q=0:1", "a=nan:1", "a"))
    passive = st.sampled_from(("u**2", "u**a", "a*u", "-log(1-u)", "1-u"))
    commands = st.sampled_from(
        (("bound", "--K", "10", "--eta", "0.4"), ("ratio",), ("check", "--weights", "0.6,0.3,0.1"))
    )
    examples = st.tuples(commands, losses, st.none() | domains, st.none() | passive)
    for command, formula, domain, other in drawn(examples, count - count // 4):
        used = [
            name for name in ("a", "q") if name in formula.replace("max", "").replace("abs", "").replace("sqrt", "")
        ]
        held = used[1:] if command[0] == "bound" else used
        yield [
            *command, f"--formula={formula}", *([] if domain is None else ["--domain", domain]),
            *([] if other is None else [f"--passive={other}"]), *(["--set", *(f"{name}=3/2" for name in held)] if held else []),
        ]  # fmt: skip
    for formula in drawn(wild | junk, count // 4):
        yield ["bound", "--K", "10", "--eta", "0.4", f"--formula={formula}"]


TOML = (
    "1", "3", "0.4", "'symmetric'", "'mae'", "'amse'", "'1-u'", "'digits'", "-1", "0", "1.5", "nan", "inf", "-inf", "1e400",
    "true", "[]", "[[]]", "{}", "''", '"x"', '"1/0"', '"\\u001b[2J"', "9" * 5000, "[" * 2000, "[1, 'a']", "1979-05-27",
    "1000000000", '{ times_threshold = "1/0" }', "{ times_threshold = 1e400 }", '["amse", "agce:q=1/2"]',
    '[{ kind = "pair", eta = 0.1 }]', "0x7fffffffffffffffffff", '{ kind = "symmetric", eta = 0.4 }', "{ q = 2 }",
)  # fmt: skip


def plans(folder: Path, count: int) -> Iterator[Arguments]:
    """Plans, designs, configurations and files of claims: the package's own, damaged, and with any value of any setting."""
    keys = ("dataset", "loss", "seeds", "seed", "epochs", "width", "rate", "noise", "noise.eta", "parameters.a", "schedule", "clip",
            "labels", "subset", "threads", "regime", "values", "x", "a.b.c.d", '"\\u001b"')  # fmt: skip
    of_claims = ("id", "loss", "set", "K", "eta", "at_least", "formula", "noise", "where", "statement", "ratio")
    own = {"sweep": sorted((ROOT / "training/sweep/plans").glob("*.toml")),
           "confirm": sorted((ROOT / "training/confirm/designs").glob("*.toml"))}  # fmt: skip
    around = {
        "sweep": "[defaults]\nmodel = 'mlp'\n{}[[runs]]\nbatch = 20\n", "train": "batch = 20\n{}",
        "confirm": "[defaults]\nmodel = 'mlp'\n{}[[designs]]\nbatch = 20\n", "verify": "[[claim]]\nat_least = 3\n{}",
    }  # fmt: skip
    target = folder / "plan.toml"
    commands = {
        "sweep": ["sweep", str(target), "--dry-run", "--out", str(folder / "sweep")],
        "train": ["train", "--config", str(target), "--dry-run"],
        "confirm": ["confirm", "--plan", str(target), "--out", str(folder / "plan"), "--only", "loss=none such"],
        "verify": ["verify", "--file", str(target), "--quick"],
    }
    for i in range(count):
        rng = random.Random(i)
        command = rng.choice(list(commands))
        if command in own and rng.random() < 0.3:
            target.write_bytes(damaged(rng.choice(own[command]).read_bytes(), rng))
        else:
            chosen = rng.sample(of_claims if command == "verify" else keys, rng.randrange(4))
            text = "".join(f"{key} = {rng.choice(TOML)}\n" for key in chosen)
            target.write_text(around[command].format(text))
        yield commands[command]


def edited(value: Any, rng: random.Random) -> Any:
    """A value of JSON with one thing in it changed, missing or added."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(list(value))
        kind = rng.randrange(6)
        if kind == 0:
            return {other: each for other, each in value.items() if other != name}
        if kind == 1:
            return {**value, rng.choice(NAMES): 1}
        return {**value, name: edited(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        return [*value[:place], *([] if rng.random() < 0.3 else [edited(value[place], rng)]), *value[place + 1 :]]
    return rng.choice(
        (None, True, -5, 0, 99, 1e308, float("nan"), float("inf"), "1e5", "1/0", "x", [], {}, [[]], 10**400, *NAMES)
    )


def results(folder: Path, count: int) -> Iterator[Arguments]:
    """Lines of results, edited, damaged and compressed; every format of the tables, and figures that read them."""
    lines = {name: [json.loads(line) for line in (ROOT / "results" / f"{name}.jsonl").read_text().splitlines()[:40]]
             for name in ("mnist", "cifar10")}  # fmt: skip
    with gzip.open(ROOT / "results/digits.jsonl.gz", "rt", encoding="utf-8") as file:
        lines["digits"] = [json.loads(line) for _, line in zip(range(40), file, strict=False)]
    for i in range(count):
        rng = random.Random(i)
        chosen = rng.sample(lines[rng.choice(list(lines))], 3)
        text = "".join(
            json.dumps(edited(line, rng) if j == 0 else line) + "\n" for j, line in enumerate(chosen)
        ).encode()
        target = folder / rng.choice(("lines.jsonl", "lines.jsonl.gz"))
        content = damaged(text, rng) if rng.random() < 0.3 else text
        content = gzip.compress(content) if target.suffix == ".gz" else content
        target.write_bytes(damaged(content, rng) if rng.random() < 0.1 else content)
        form = rng.choice(("text", "markdown", "latex", "csv", "json"))
        figure = rng.choice(("confirm-population", "curves", "alf-fig3"))
        yield rng.choice((
            ["table", rng.choice(("alf-table1", "jal-table3", "anl-table2")), "--results", str(target), "--format", form],
            ["table", "jal-table3", "--dataset", "digits", "--results", str(target), "--format", form],
            *[["figure", figure, "--option", f"results={target}", "--out", str(folder / "figures")]] * (i % 10 == 0),
        ))  # fmt: skip


TRAIN = ["train", "--subset", "100", "--width", "0.1", "--epochs", "2", "--loss", "mae", "--threads", "1"]
CONFIRM = [
    "confirm",
    "--loss",
    "mae",
    "--width",
    "0.1",
    "--subset",
    "100",
    "--epochs",
    "1",
    "--seeds",
    "1",
    "--values",
    "3",
]


def checkpoints(folder: Path, count: int) -> Iterator[Arguments]:
    """Checkpoints with damaged bytes, and whole ones with a part edited; folders of searches and experiments."""
    import torch

    out, search = folder / "run", folder / "experiment"
    experiment = ["experiment", "weighted-risk", "--loss", "mae", "--draws", "4", "--steps", "5", "--out", str(search)]
    for command in ([*TRAIN, "--out", str(out)], experiment):
        attempt(command)
    whole, arrays = (out / "checkpoint.pt").read_bytes(), (search / "arrays.npz").read_bytes()
    recipe = json.loads((search / "experiment.json").read_text())
    for i in range(count):
        rng = random.Random(i)
        kind = rng.randrange(4)
        if kind == 0:
            (out / "checkpoint.pt").write_bytes(damaged(whole, rng))
        elif kind == 1:
            state = torch.load(io.BytesIO(whole), weights_only=True)
            torch.save(edited(state, rng), out / "checkpoint.pt")
        elif kind == 2:
            (search / "arrays.npz").write_bytes(damaged(arrays, rng))
        else:
            (search / "experiment.json").write_text(json.dumps(edited(recipe, rng)))
        yield [*TRAIN, "--resume", "--out", str(out)] if kind < 2 else [*experiment, "--resume"]
        (out / "checkpoint.pt").write_bytes(whole)
        (search / "arrays.npz").write_bytes(arrays)
        (search / "experiment.json").write_text(json.dumps(recipe))


def confirm_folders(folder: Path, count: int) -> Iterator[Arguments]:
    """Folders of confirmations and sweeps: arrays, lines, locks and marks damaged, edited, or links to elsewhere."""
    whole, out = folder / "whole", folder / "confirm"
    attempt([*CONFIRM, "--out", str(whole)])
    line = json.loads((whole / "groups.jsonl").read_text())
    for i in range(count):
        rng = random.Random(i)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(whole, out)
        (archive,) = out.glob("*.npz")
        kind = rng.randrange(5)
        if kind == 0:
            archive.write_bytes(damaged(archive.read_bytes(), rng))
        elif kind == 1:
            with np.load(archive) as file:
                arrays = {name: file[name] for name in file.files}
            name = rng.choice(list(arrays))
            arrays[name] = rng.choice(
                (arrays[name][..., :0], arrays[name].astype(str), np.zeros(3), arrays[name] * np.nan)
            )
            np.savez(archive, **arrays)
        elif kind == 2:
            (out / "groups.jsonl").write_text(json.dumps(edited(line, rng)) + "\n")
        elif kind == 3:
            (out / "groups.jsonl").write_bytes(damaged((out / "groups.jsonl").read_bytes(), rng))
        else:
            (out / ".lock").unlink()
            (out / ".lock").symlink_to(folder / "elsewhere")
        yield [*CONFIRM, "--out", str(out)]


def _bombs(bomb: Path, lines: Path) -> None:
    """2 GiB of zeros in an archive, 1.5 GiB of empty objects in JSON lines."""
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("T.npy", "w", force_zip64=True) as entry,
    ):
        np.lib.format.write_array_header_1_0(entry, {"descr": "<f8", "fortran_order": False, "shape": (2**14, 2**14)})
        for _ in range(2**8):
            entry.write(bytes(2**23))
    with gzip.open(lines, "wb", compresslevel=1) as file:
        for _ in range(2**7):
            file.write(b"{}\n" * 2**22)  # 1.5 GiB


def floods(folder: Path, count: int) -> Iterator[Arguments]:
    """What would take all memory or never end: bombs, lines of millions of cells, devices, pipes, counts."""
    bomb, lines = folder / "bomb.npz", folder / "bomb.jsonl.gz"
    (folder / "wide.csv").write_bytes(b"1," * 5_000_000 + b"1\n")
    (folder / "deep.json").write_bytes(b"[" * 10**6)
    (folder / "pipe.csv").unlink(missing_ok=True)
    os.mkfifo(folder / "pipe.csv")
    (folder / "zero.csv").symlink_to("/dev/zero")
    (folder / "full.toml").symlink_to("/dev/full")
    files = [bomb, folder / "wide.csv", folder / "deep.json", folder / "pipe.csv", folder / "zero.csv"]
    commands = [[part.format(file) for part in command] for file in files for command in READERS]
    commands += [
        ["table", "jal-table3", "--results", str(lines)], ["table", "jal-table3", "--results", "/dev/zero"],
        ["train", "--config", "/dev/zero"], ["sweep", "/dev/zero"], ["confirm", "--plan", "/dev/zero"],
        ["select", "--K", "3", "--eta", "0.1", "--write-config", "/dev/full"],
        ["select", "--K", "10", "--eta", "0.1", "--write-config", str(folder / "full.toml")],
        ["labels", "symmetric", "--eta", "0.1", "--dataset", "digits", "--out", "/dev/full"],
        ["report", "--out", "/dev/full"], ["figure", "phase", "--out", "/dev/full"],
        ["train", "--width", "100000"], ["train", "--threads", "1000000"], ["confirm", "--seeds", "1e9"],
        ["sweep", "jal-table3", "--set", "seeds=1000000000", "--dry-run"], ["sweep", "jal-table3", "--only", "seeds=1000000000"],
        ["confirm", "--plan", "confirm-grid", "--only", "seeds=1000000000", "--dry-run"],
        ["bound", "--loss", "amse", "--K", "1000000000000", "--eta", "0.4"], ["noise", "pair", "--K", "1000000000", "--eta", "0.1"],
        ["select", "--K", "1000000000", "--eta", "0.4"], ["experiment", "weighted-risk", "--loss", "mae", "--draws", "9" * 13],
        *([command, "x" * 100_000] for command in OPTIONS), *([command, "--set", "x" * 100_000] for command in OPTIONS),
    ]  # fmt: skip
    commands = random.Random(0).sample(commands, min(count, len(commands)))
    if any(str(each) in command for each in (bomb, lines) for command in commands):
        _bombs(bomb, lines)
    yield from commands


AREAS: dict[str, tuple[Area, int]] = {
    "label files": (label_files, 40), "arguments": (arguments, 24), "formulas": (formulas, 10), "plans": (plans, 10),
    "results": (results, 6), "checkpoints": (checkpoints, 4), "confirm folders": (confirm_folders, 3), "floods": (floods, 3),
}  # fmt: skip
"""Each area and its share of the tries in hundredths."""


# ------------------------------------------------------------------------------------------------------------ the tries


def attempt(command: Arguments) -> str:
    """``answered``, ``refused``, or what went wrong."""
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(command)
    except Hang:
        return "hang"
    except SystemExit as end:  # --help
        status = int(end.code or 0)
    except BaseException:
        return "traceback: " + " | ".join(traceback.format_exc().strip().splitlines()[-3:])
    text, printed = err.getvalue(), out.getvalue().replace("\n", "")
    if status == 2:
        good = text.count("\n") == 1 and text[:-1].isprintable() and not printed
        return "refused" if good else f"refusal: {text[:300]!r} {printed[:80]!r}"
    return "answered" if status in (0, 1) and printed.isprintable() else f"status {status}: {printed[:80]!r}"


def stop(number: int, frame: FrameType | None) -> None:
    raise Hang


def run(tries: int, only: str | None = None) -> tuple[Counter[tuple[str, str]], list[str]]:
    """So many tries: how many of each area ended how, and those that ended badly."""
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, stop)
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[str] = []
    for name, (area, share) in AREAS.items():
        if only not in (None, name):
            continue
        count = tries if only is not None else max(1, tries * share // 100)
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for i, command in enumerate(area(Path(folder), count)):
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                signal.setitimer(signal.ITIMER_REAL, WAIT)
                found = attempt(command)
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
                counts[name, found.split(":")[0]] += 1
                if found not in ("answered", "refused"):
                    bad.append(f"{name} {i}: {' '.join(map(ascii, command))[:200]}: {found}"[:900])
    return counts, bad


def report() -> int:
    """The command line; 1 where a try ended badly or the memory went over the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tries", type=int, default=3000)
    parser.add_argument("--only", choices=list(AREAS), help="one area, all of the tries")
    given_ = parser.parse_args()
    start = time.perf_counter()
    counts, bad = run(given_.tries, given_.only)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for name in AREAS:
        own = {how: count for (area, how), count in counts.items() if area == name}
        if own:
            said = ", ".join(f"{count} {how}" for how, count in sorted(own.items()))
            print(f"{name:<16} {sum(own.values()):>5} tries: {said}")
    seconds = time.perf_counter() - start
    print(
        f"{sum(counts.values())} tries in {seconds:.0f} s, {len(bad)} of them bad; peak memory {peak / 2**30:.2f} GiB"
    )
    print("\n".join(bad))
    return 1 if bad or peak > BYTES else 0


if __name__ == "__main__":
    sys.exit(report())
