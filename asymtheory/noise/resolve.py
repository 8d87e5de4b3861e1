"""From what a person names, a family, a measured noise or a file, to a noise model."""

from __future__ import annotations

import os
from dataclasses import replace

from ..errors import InputError, nearest, printable
from ..numbers.text import Number, show
from .models import FAMILIES, FIXED_CLASSES, KINDS, MEASURED, check_classes, check_family, check_rate, family, named
from .rows import NoiseModel


def load(path: str | os.PathLike[str]) -> NoiseModel:
    """Noise from a file: label pairs, a matrix, counts, posteriors, votes or labels of annotators, in any format of
    :mod:`asymtheory.reading.files`. The model's ``reading`` says how it was read; ``KIND:FILE`` decides it."""
    from .files import read  # late: files and arrays are not on the start-up path

    return read(path)


def resolve(kind: str, K: int | None = None, eta: Number | None = None) -> NoiseModel:
    """What ``--noise`` means: a family (needs `eta`, and `K` where it is open), a measured noise, or a file.

    Errors speak of ``--noise``, ``--K`` and ``--eta``. A K that disagrees with the noise raises InputError; so does a
    rate given for noise that has its own.

        >>> resolve("pair", 10, 0.4).kind
        'pair'
    """
    name = kind.strip().lower()
    classes = None if K is None else check_classes(K, "--K")
    if name in FAMILIES:
        if classes is None and name not in FIXED_CLASSES:
            raise InputError(f"--noise {name} needs --K (the number of classes, a whole number >= 2)")
        if eta is None:
            raise InputError(f"--noise {name} needs --eta (the noise rate, in [0, 1])")
        check_family(name, classes, "--K")
        given = check_rate(eta, "--eta")
        model = family(name, classes)(given)
        return model if model.rate == given else replace(model, eta=given)
    from ..reading.files import FILES, looks_like_file  # late: families need no reader on the start-up path
    from ..reading.kinds import split_kind

    if name in MEASURED:
        model = named(name)
    elif split_kind(kind)[0] is not None or looks_like_file(kind):
        model = load(kind)
    else:
        allowed = f"{', '.join(KINDS)}, or a file ({', '.join(FILES)})"
        raise InputError(f"--noise {printable(kind)!r}: unknown noise{nearest(name, KINDS)}; allowed: {allowed}")
    if eta is not None:
        own = "is measured" if name in MEASURED else "comes from a file"
        raise InputError(f"--eta {show(eta)}: noise {kind!r} {own} and has its own noise rate; leave --eta out")
    if classes is not None and classes != model.classes:
        raise InputError(f"--K {classes}: noise {kind!r} has {model.classes} classes")
    return model
