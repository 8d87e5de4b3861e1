"""Noise from files: what :mod:`asymtheory.reading` found in one, as a noise model that says how it was read."""

from __future__ import annotations

import os
from dataclasses import replace

from ..reading.kinds import Reading, pair_heads, read_noise_file, recognise
from ..reading.table import Table
from . import models as noise
from .models import TableLike
from .rows import NoiseModel


def read(path: str | os.PathLike[str]) -> NoiseModel:
    """The noise in a file, ``FILE``, ``KIND:FILE`` or ``FILE:NAME`` (see :mod:`asymtheory.reading.files` and
    :data:`asymtheory.reading.kinds.KINDS`); a file that cannot be used raises InputError with one line."""
    return model_of(read_noise_file(path))


def model_of(found: Reading) -> NoiseModel:
    """The noise model of what a table was read as."""
    table, source = found.table, found.source
    if found.kind == "pairs":
        assert table is not None
        return of_pairs(table)
    if found.kind == "annotators":
        from ..reading.annotators import of_table  # late: arrays are not on the start-up path

        assert table is not None
        said = of_table(table)
        model = noise.from_posteriors(said.votes, said.names, source)
        hint = "counted as votes (select --annotators has majority and Dawid-Skene)"
        return replace(model, reading=f"{said.reading}; {hint}")
    build = {"counts": noise.from_counts, "matrix": noise.from_matrix}.get(found.kind, noise.from_posteriors)
    model = build(found.grid, found.names, source)
    return replace(model, reading=found.sentence)


def of_pairs(table: Table) -> NoiseModel:
    """The noise of a table with a column of noisy and one of clean labels."""
    from ..reading.labels import column_of, pair  # late: arrays are not on the start-up path

    noisy, clean = pair_heads(table)
    given, true = column_of(table, noisy, "", "noisy"), column_of(table, clean, "", "clean")
    found = pair(given, true, None if table.classes is None else len(table.classes), table.classes)
    model = noise.from_codes(found.clean, found.noisy, found.K, found.names, table.source)
    return replace(model, reading=found.reading)


def of_object(data: TableLike, source: str) -> NoiseModel:
    """The noise that a table in memory stands for: an array, a data frame, a tensor, nested lists."""
    from ..reading.objects import of_object as table_of  # late: arrays are not on the start-up path

    return model_of(recognise(table_of(data, source)))
