"""What changes over a run: the learning rate, and a parameter of the loss that is led along a ramp.

    cosine                                  the rate of all papers, to 0
    ramp:a:1:24:0.3                         the rate as cosine; a rises from 1 to 24 over the first 30 % of the steps
    step:1:0.97+ramp:a:1::0.1               both named; without an end the parameter ends at the loss's own value

In a file the second is ``schedule = { parameter = "a", from = 1, to = 24, until = 0.3 }``, with ``rate = "..."`` for the first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from asymtheory.errors import nearest
from asymtheory.jsonlines import JsonValue
from asymtheory.numbers.text import plain

from .checks import FieldError, exact_number, shown

KINDS = ("cosine", "constant", "step", "drop")
RAMP = "ramp"
ENTRIES = ("parameter", "from", "to", "until", "rate")


@dataclass(frozen=True)
class Ramp:
    """A parameter of the loss that moves from ``start`` to ``end`` over the first part ``until`` of all steps, and stays there.

    It moves geometrically, ``start * (end / start) ** (t / until)`` at the share t of the steps, and along a straight line
    where one of the two is 0 or their signs differ. ``end`` None: to the value that the loss has.
    """

    parameter: str
    start: Fraction
    end: Fraction | None
    until: float

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
        return f"{RAMP}:{self.parameter}:{plain(self.start)}:{end}:{self.until:g}"


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the epochs, as a factor of the initial one; it changes between epochs, as in the papers.

    ``cosine`` (to 0), ``constant``, ``step:N:F`` (times F after every N epochs: WebVision is ``step:1:0.97``) and
    ``drop:F:X,Y`` (times F at the shares X, Y, ... of the run: Animal-10N is ``drop:0.2:0.5,0.75``). ``ramp``: a parameter of the
    loss that moves too.
    """

    text: str
    kind: str
    factor: float = 1.0
    at: tuple[float, ...] = ()
    ramp: Ramp | None = None

    @classmethod
    def parse(cls, value: JsonValue, key: str = "schedule") -> Schedule:
        """A text, or the table of a ramp; raises InputError for anything else."""
        if isinstance(value, Mapping):
            unknown = [name for name in value if name not in ENTRIES]
            if unknown or not {"parameter", "from", "until"} <= set(value):
                hint = nearest(unknown[0], ENTRIES) if unknown else ""
                needed = f"a table of a ramp has parameter, from, until, and perhaps to and rate{hint}"
                raise FieldError(key, shown(dict(value)), needed)
            ramp = _ramp(key, [value[name] if name in value else "" for name in ENTRIES[:4]])
            return cls._of(value.get("rate", "cosine"), ramp, key)
        rate, plus, moving = value.strip().partition("+") if isinstance(value, str) else (value, "", "")
        if isinstance(rate, str) and rate.lower().startswith(f"{RAMP}:"):
            if plus:
                raise FieldError(key, shown(value), "the rate comes first, as in cosine+ramp:a:1::0.3")
            rate, plus, moving = "cosine", "+", rate
        if not plus:
            return cls._of(rate, None, key)
        name, *entries = moving.strip().split(":")
        if name.lower() != RAMP or len(entries) != 4:
            raise FieldError(key, shown(value), "after + a ramp is needed: ramp:PARAMETER:FROM:TO:UNTIL")
        return cls._of(rate, _ramp(key, entries), key)

    @classmethod
    def _of(cls, value: JsonValue, ramp: Ramp | None, key: str) -> Schedule:
        needed = (
            "cosine, constant, step:EPOCHS:FACTOR or drop:FACTOR:SHARE,... is needed, or ramp:PARAMETER:FROM:TO:UNTIL"
        )
        if not isinstance(value, str):
            raise FieldError(key, shown(value), needed)
        kind, *rest = value.strip().lower().split(":")
        also = "" if ramp is None else f"+{ramp}"
        try:
            if kind in ("cosine", "constant") and not rest:
                return cls(kind + also, kind, ramp=ramp)
            if kind == "step" and len(rest) == 2:
                every, factor = float(int(rest[0])), float(rest[1])
                if every >= 1 and 0 < factor < math.inf:
                    return cls(f"step:{rest[0]}:{rest[1]}{also}", kind, factor, (every,), ramp)
            if kind == "drop" and len(rest) == 2:
                factor, shares = float(rest[0]), tuple(float(share) for share in rest[1].split(","))
                if 0 < factor < math.inf and all(0 <= share <= 1 for share in shares):
                    return cls(f"drop:{rest[0]}:{rest[1]}{also}", kind, factor, shares, ramp)
        except ValueError:
            pass
        raise FieldError(key, shown(value), needed + nearest(kind, (*KINDS, RAMP)))

    def at_epoch(self, epoch: int, epochs: int) -> float:
        """Factor in epoch 0..epochs-1."""
        if self.kind == "cosine":
            return (1 + math.cos(math.pi * epoch / epochs)) / 2
        if self.kind == "step":
            return float(self.factor ** (epoch // self.at[0]))
        return float(self.factor ** sum(epoch >= share * epochs for share in self.at))


def _ramp(key: str, entries: list[JsonValue]) -> Ramp:
    """A ramp of its parameter, start, end (may be empty) and the share of the steps that it takes."""
    parameter, start, end, until = (each.strip() if isinstance(each, str) else each for each in entries)
    if not isinstance(parameter, str) or not parameter:
        raise FieldError(key, shown(parameter), "the parameter of a ramp is a name, such as a")
    share = exact_number(key, until)
    if not 0 < share <= 1:
        raise FieldError(key, shown(until), "a ramp ends at a share of the steps in (0, 1]")
    first = exact_number(key, start)
    last = None if end in ("", None) else exact_number(key, end)
    return Ramp(parameter, first, last, float(share))
