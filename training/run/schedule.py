"""What changes over a run: the learning rate, and the loss, which is led to its end along a ramp or from another loss.

    cosine                                  the rate of all papers, to 0
    ramp:a:1:24:0.3                         the rate as cosine; a rises from 1 to 24 over the first 30 % of the steps
    step:1:0.97+ramp:a:1::0.1               both named; without an end the parameter ends at the loss's own value
    start:ce:0.1                            cross entropy at first, whose weight falls to 0 over the first 10 % of the steps
    ramp:a:1::1:held-out                    at its end at the latest, or once accuracy on held-out labels stops rising

In a file the second is ``schedule = { parameter = "a", from = 1, to = 24, until = 0.3 }`` and the fourth
``schedule = { loss = "ce", until = 0.1 }``, with ``rate = "..."`` and ``signal = "..."`` for the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from asymtheory.errors import InputError, nearest
from asymtheory.jsonlines import JsonValue
from asymtheory.losses import build, names
from asymtheory.numbers.text import plain

from .checks import FieldError, exact_number, shown

KINDS = ("cosine", "constant", "step", "drop")
RAMP, START = "ramp", "start"
ENTRIES = ("parameter", "from", "to", "loss", "until", "signal", "rate")
HELD_OUT, VERTICES = "held-out", "vertices"
SIGNALS = (HELD_OUT, VERTICES)
"""What may end a way before its share of the steps is done: see :class:`.lead.Watch`."""


@dataclass(frozen=True)
class Ramp:
    """A parameter of the loss that moves from ``start`` to ``end`` over the first part ``until`` of all steps, and stays there.

    It moves geometrically, ``start * (end / start) ** (t / until)`` at the share t of the steps, and along a straight line
    where one of the two is 0 or their signs differ. ``end`` None: to the value that the loss has. ``signal``: one of SIGNALS, at
    which it goes to its end at once.
    """

    parameter: str
    start: Fraction
    end: Fraction | None
    until: float
    signal: str | None = None

    def at(self, share: float, end: float) -> float:
        """The value before a step, when this ``share`` of all steps is done; ``end``: where it ends."""
        part, start = min(1.0, share / self.until), float(self.start)
        if part == 1.0:
            return end
        if start * end > 0:
            return start * (end / start) ** part
        return start + (end - start) * part

    def __str__(self) -> str:
        end = "" if self.end is None else plain(self.end)
        return f"{RAMP}:{self.parameter}:{plain(self.start)}:{end}:{self.until:g}{_ended(self.signal)}"


@dataclass(frozen=True)
class Start:
    """Another ``loss`` of the core (with its own parameters) at first: ``(1 - s) c first + s loss``, with s from 0 to 1.

    The weight s grows evenly over the first part ``until`` of all steps, c is what gives both losses one initial slope. ``signal``:
    one of SIGNALS, at which s becomes 1 at once.
    """

    loss: str
    until: float
    signal: str | None = None

    def part(self, share: float) -> float:
        """The weight s before a step, when this ``share`` of all steps is done."""
        return min(1.0, share / self.until)

    def __str__(self) -> str:
        return f"{START}:{self.loss}:{self.until:g}{_ended(self.signal)}"


Way = Ramp | Start
"""How a loss is led to its end."""


def _ended(signal: str | None) -> str:
    return "" if signal is None else f":{signal}"


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the epochs, as a factor of the initial one; it changes between epochs, as in the papers.

    ``cosine`` (to 0), ``constant``, ``step:N:F`` (times F after every N epochs: WebVision is ``step:1:0.97``) and
    ``drop:F:X,Y`` (times F at the shares X, Y, ... of the run: Animal-10N is ``drop:0.2:0.5,0.75``). ``way``: how the loss is led.
    """

    text: str
    kind: str
    factor: float = 1.0
    at: tuple[float, ...] = ()
    way: Way | None = None

    @classmethod
    def parse(cls, value: JsonValue, key: str = "schedule") -> Schedule:
        """A text, or the table of a way; raises InputError for anything else."""
        if isinstance(value, Mapping):
            return cls._of(value.get("rate", "cosine"), _of_table(key, value), key)
        if not isinstance(value, str):
            return cls._of(value, None, key)
        rate, plus, way = ("cosine", "+", value) if leads_alone(value) else value.strip().partition("+")
        return cls._of(rate, _of_text(key, way.strip(), value) if plus else None, key)

    @classmethod
    def _of(cls, value: JsonValue, way: Way | None, key: str) -> Schedule:
        needed = (
            "cosine, constant, step:EPOCHS:FACTOR or drop:FACTOR:SHARE,... is needed, or ramp:PARAMETER:FROM:TO:UNTIL "
            "or start:LOSS:UNTIL"
        )
        if not isinstance(value, str):
            raise FieldError(key, shown(value), needed)
        kind, *rest = value.strip().lower().split(":")
        also = "" if way is None else f"+{way}"
        try:
            if kind in ("cosine", "constant") and not rest:
                return cls(kind + also, kind, way=way)
            if kind == "step" and len(rest) == 2:
                every, factor = float(int(rest[0])), float(rest[1])
                if every >= 1 and 0 < factor < math.inf:
                    return cls(f"step:{rest[0]}:{rest[1]}{also}", kind, factor, (every,), way)
            if kind == "drop" and len(rest) == 2:
                factor, shares = float(rest[0]), tuple(float(share) for share in rest[1].split(","))
                if 0 < factor < math.inf and all(0 <= share <= 1 for share in shares):
                    return cls(f"drop:{rest[0]}:{rest[1]}{also}", kind, factor, shares, way)
        except ValueError:
            pass
        raise FieldError(key, shown(value), needed + nearest(kind, (*KINDS, RAMP, START)))

    def at_epoch(self, epoch: int, epochs: int) -> float:
        """Factor in epoch 0..epochs-1."""
        if self.kind == "cosine":
            return (1 + math.cos(math.pi * epoch / epochs)) / 2
        if self.kind == "step":
            return float(self.factor ** (epoch // self.at[0]))
        return float(self.factor ** sum(epoch >= share * epochs for share in self.at))


def leads_alone(text: str) -> bool:
    """Does a schedule name a way and leave the rate as is usual?"""
    return text.strip().lower().startswith((f"{RAMP}:", f"{START}:"))


def _of_table(key: str, table: Mapping[str, JsonValue]) -> Way:
    """The way that a table describes."""
    unknown = [name for name in table if name not in ENTRIES]
    other = "loss" in table
    needed, never = (
        ({"loss", "until"}, {"parameter", "from", "to"}) if other else ({"parameter", "from", "until"}, set())
    )
    if unknown or not needed <= set(table) or never & set(table):
        hint = nearest(unknown[0], ENTRIES) if unknown else ""
        what = (
            "a table has parameter, from, until, and perhaps to, or it has loss and until; signal and rate go with both"
        )
        raise FieldError(key, shown(dict(table)), what + hint)
    if other:
        return _start(key, table["loss"], table["until"], table.get("signal"))
    return _ramp(key, [table.get(name, "") for name in ("parameter", "from", "to", "until")], table.get("signal"))


def _of_text(key: str, text: str, whole: str) -> Way:
    """The way that is written after the rate."""
    name, *entries = text.split(":")
    if entries and "+" in entries[-1]:
        raise FieldError(key, shown(whole), "the rate comes first, as in cosine+ramp:a:1::0.3")
    if name.lower() == RAMP and len(entries) in (4, 5):
        return _ramp(key, list(entries[:4]), *entries[4:])
    if name.lower() == START and len(entries) in (2, 3):
        return _start(key, *entries)
    raise FieldError(
        key,
        shown(whole),
        "after + a ramp is needed: ramp:PARAMETER:FROM:TO:UNTIL, or start:LOSS:UNTIL; SIGNAL may follow",
    )


def _ramp(key: str, entries: list[JsonValue], signal: JsonValue = None) -> Ramp:
    """A ramp of its parameter, start, end (may be empty) and the share of the steps that it takes."""
    parameter, start, end, until = (each.strip() if isinstance(each, str) else each for each in entries)
    if not isinstance(parameter, str) or not parameter:
        raise FieldError(key, shown(parameter), "the parameter of a ramp is a name, such as a")
    share = _share(key, until)
    first = exact_number(key, start)
    last = None if end in ("", None) else exact_number(key, end)
    return Ramp(parameter, first, last, share, _signal(key, signal))


def _start(key: str, loss: JsonValue, until: JsonValue, signal: JsonValue = None) -> Start:
    """The start from a loss of this name."""
    if not isinstance(loss, str):
        raise FieldError(key, shown(loss), "the loss to start from is a name, such as ce")
    try:
        first = build(loss.strip())
    except InputError:
        raise FieldError(
            key, shown(loss), f"a loss of the core to start from is needed{nearest(loss, names())}"
        ) from None
    return Start(first.name, _share(key, until), _signal(key, signal))


def _share(key: str, until: JsonValue) -> float:
    share = exact_number(key, until)
    if not 0 < share <= 1:
        raise FieldError(key, shown(until), "a ramp ends at a share of the steps in (0, 1]")
    return float(share)


def _signal(key: str, signal: JsonValue) -> str | None:
    if signal is None:
        return None
    word = signal.strip().lower() if isinstance(signal, str) else signal
    if word not in SIGNALS:
        raise FieldError(key, shown(signal), f"a signal is {' or '.join(SIGNALS)}{nearest(str(word), SIGNALS)}")
    return str(word)
