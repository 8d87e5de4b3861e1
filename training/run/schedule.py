"""The learning rate over the epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from asymtheory.errors import nearest
from asymtheory.jsonlines import JsonValue

from .checks import FieldError, shown


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the epochs, as a factor of the initial one; it changes between epochs, as in the papers.

    ``cosine`` (to 0), ``constant``, ``step:N:F`` (times F after every N epochs: WebVision is ``step:1:0.97``) and
    ``drop:F:X,Y`` (times F at the shares X, Y, ... of the run: Animal-10N is ``drop:0.2:0.5,0.75``).
    """

    text: str
    kind: str
    factor: float = 1.0
    at: tuple[float, ...] = ()

    @classmethod
    def parse(cls, value: JsonValue, key: str = "schedule") -> Schedule:
        """Raises InputError for text that is not a schedule."""
        needed = "cosine, constant, step:EPOCHS:FACTOR or drop:FACTOR:SHARE,... is needed"
        if not isinstance(value, str):
            raise FieldError(key, shown(value), needed)
        kind, *rest = value.strip().lower().split(":")
        try:
            if kind in ("cosine", "constant") and not rest:
                return cls(kind, kind)
            if kind == "step" and len(rest) == 2:
                every, factor = float(int(rest[0])), float(rest[1])
                if every >= 1 and 0 < factor < math.inf:
                    return cls(f"step:{rest[0]}:{rest[1]}", kind, factor, (every,))
            if kind == "drop" and len(rest) == 2:
                factor, shares = float(rest[0]), tuple(float(share) for share in rest[1].split(","))
                if 0 < factor < math.inf and all(0 <= share <= 1 for share in shares):
                    return cls(f"drop:{rest[0]}:{rest[1]}", kind, factor, shares)
        except ValueError:
            pass
        raise FieldError(key, shown(value), needed + nearest(kind, ("cosine", "constant", "step", "drop")))

    def at_epoch(self, epoch: int, epochs: int) -> float:
        """Factor in epoch 0..epochs-1."""
        if self.kind == "cosine":
            return (1 + math.cos(math.pi * epoch / epochs)) / 2
        if self.kind == "step":
            return float(self.factor ** (epoch // self.at[0]))
        return float(self.factor ** sum(epoch >= share * epochs for share in self.at))
