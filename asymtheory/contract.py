"""Lines of results: what training writes into ``results/*.jsonl`` and figures and tables read, their only contract.

A line may have been edited by hand. Names that are not here are left alone; a missing one, a text where a number belongs, and
lists that do not go together are refused before anything is computed.
"""

from __future__ import annotations

from .errors import InputError
from .jsonlines import Json, JsonValue
from .numbers.text import parse_number
from .shapes import Shape, check_shape, compiled

_NUMBER = (float, None)  # null where it is not finite, or was not measured
_MEASURED: Shape = dict.fromkeys(
    ("loss?", "test?", "train?", "true?", "clean?", "memorised?", "recovered?", "rate?", "gradient?", "clipped?"),
    _NUMBER,
)
_CONFIG: Shape = {
    "dataset": str, "loss": (str, None), "formula?": (str, None), "passive?": (str, None), "labels?": (str, None),
    "column?": (str, None), "model": str, "width": float, "epochs": int, "batch?": int, "rate?": float, "momentum?": float,
    "nesterov?": bool, "schedule?": str, "clip?": _NUMBER, "regularisation": str, "strength": float, "seed?": int,
    "subset?": (int, None), "precision?": str, "parameters": dict,
    "noise": {"kind": str, "eta": (float, str, None), "mode": str, "seed?": int},
}  # fmt: skip
_LISTS = {"clean": ([list], None), "corrupted": ([list], None)}
_PROBE: Shape = {
    "epochs": [int], "gradients": _LISTS, "histograms": _LISTS, "embedding": ({"labels": [int], "points": [[float]]}, None),
}  # fmt: skip
RUN: Shape = {
    "config": _CONFIG, "seed": int, "labels": {"count": int, "wrong?": (int, None), "rate?": _NUMBER}, "seconds?": float,
    "device?": {"name?": str, "precision?": str}, "curve": [{**_MEASURED, "epoch": int}], "last": _MEASURED, "best": _MEASURED,
    "final?": _MEASURED,
}  # fmt: skip
"""A line of ``train`` or ``sweep``."""

_PROBABILITY: Shape = {
    **dict.fromkeys(("exact", "measured", "low", "high", "median"), _NUMBER),
    "quantiles": dict.fromkeys(("0.05", "0.25", "0.75", "0.95"), _NUMBER),
}
_SEEDS = ([_NUMBER], None)
ROW: Shape = {
    **_PROBABILITY, "test": _PROBABILITY,
    "loss": str, "parameter": (str, None), "value": _NUMBER, "threshold": _NUMBER, "factor": _NUMBER, "fixed": dict,
    "regime": str, "dataset": str, "noise": str, "labels": str, "images": int, "model": str, "width": float, "epochs": int,
    "batch?": int, "rate?": float, "regularisation": str, "strength": float, "seeds": int,
    "scale": float, "level": _NUMBER, "diverged": int,
    **dict.fromkeys(("memorised", "clean", "recovered", "last", "best", "drop", "distance"), _NUMBER),
    "lost": [int], "classes": {"exact": [_NUMBER], "measured": [_NUMBER]},
    "vectors": ({"exact": [[_NUMBER]], "measured": [[_NUMBER]]}, None),
    "histograms": ({"clean": [_NUMBER], "corrupted": [_NUMBER]}, None),
    "curve": ({"epochs": [int], "test": [_NUMBER], "by_seed": [[_NUMBER]]}, None),
    "by_seed": dict.fromkeys(("measured", "memorised", "last", "drop"), _SEEDS),
    "transition": (dict, None),
}  # fmt: skip
"""A line of ``confirm``."""


_is_whole_run, _is_whole_row = compiled(RUN), compiled(ROW)


def is_run(line: Json) -> bool:
    return "curve" in line and "config" in line


def is_row(line: Json) -> bool:
    return "regime" in line and "measured" in line


def check_run(line: Json, where: str) -> None:
    """InputError, with its place, for a run that cannot be read."""
    if not _is_whole_run(line):
        check_shape(line, RUN, where)  # says what is wrong
    if "probe" in line:
        check_shape(line["probe"], _PROBE, f"{where}: probe")
    for name, value in (*line["config"]["parameters"].items(), ("noise.eta", line["config"]["noise"]["eta"])):
        _check_number(value, name, where)


def check_row(line: Json, where: str) -> None:
    """InputError, with its place, for a row that cannot be read."""
    if not _is_whole_row(line):
        check_shape(line, ROW, where)
    for name, value in line["fixed"].items():
        _check_number(value, name, where)
    classes, curve, vectors = line["classes"], line["curve"], line["vectors"]
    K = len(classes["exact"])
    together = {"classes.measured": classes["measured"], "lost": line["lost"]}
    if vectors is not None:
        together |= {"vectors.exact": vectors["exact"], "vectors.measured": vectors["measured"]}
        together |= {f"vectors.{part}[{i}]": row for part in vectors for i, row in enumerate(vectors[part])}
    _check_lengths(together, K, "classes", where)
    if curve is not None:
        by_seed = {f"curve.by_seed[{i}]": each for i, each in enumerate(curve["by_seed"])}
        _check_lengths({"curve.test": curve["test"], **by_seed}, len(curve["epochs"]), "epochs", where)


def _check_number(value: JsonValue, name: str, where: str) -> None:
    """A number, or a text such as 1/3; None where the noise has no rate."""
    if isinstance(value, str):
        parse_number(value, f"{where}: {name}")
    elif value is not None or name != "noise.eta":
        check_shape(value, float, f"{where}: {name}")


def _check_lengths(lists: dict[str, list[JsonValue]], length: int, of: str, where: str) -> None:
    for name, each in lists.items():
        if len(each) != length:
            raise InputError(f"{where}: {name} has {len(each)} values for {length} {of}")
