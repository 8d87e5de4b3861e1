"""What a column is by its name: noisy or clean labels, labels of some kind, an index, an item, an annotator."""

from __future__ import annotations

import re
from collections.abc import Iterable

NOISY = frozenset(
    {"noisy", "given", "observed", "obs", "noise", "corrupted", "annotated", "annotation", "weak", "pred", "predicted"}
)
CLEAN = frozenset(
    {
        "clean",
        "true",
        "truth",
        "gold",
        "golden",
        "gt",
        "ground_truth",
        "actual",
        "correct",
        "original",
        "real",
        "verified",
    }
)
LABEL = frozenset({"label", "labels", "y", "target", "targets", "class", "classes", "category", "answer", "response"})
INDEX = frozenset(
    {"", "index", "idx", "id", "ids", "key", "uid", "image", "images", "img", "image_id", "img_id", "sample", "samples",
     "sample_id", "example", "example_id", "path", "paths", "file", "files", "filename", "file_name", "file_path",
     "filepath", "image_path", "img_path", "row_id", "unnamed_0", "index_level_0"}
)  # fmt: skip
ITEM = frozenset({"item", "task", "item_id", "task_id", "question", "unit", "instance", "item_index"})
ANNOTATOR = frozenset(
    {"annotator", "worker", "rater", "coder", "labeler", "labeller", "annotator_id", "worker_id", "rater_id", "performer",
     "labeler_id", "labeller_id", "coder_id", "judge"}
)  # fmt: skip
_NUMBERED = re.compile(
    r"(?:annotator|worker|rater|coder|labell?er|expert|judge|reader|human|radiologist|pathologist|ann|a)_?(?:id_?)?\d+(?:_label)?"
)
ROLES = frozenset({"noisy", "clean", "label", "index", "item", "annotator", "annotation"})


def plain(head: str) -> str:
    """A column's name in lower case, with ``_`` for what separates its words."""
    return re.sub(r"[\W_]+", "_", head.strip().lower()).strip("_")


def role(head: str) -> str | None:
    """``noisy``, ``clean``, ``label`` (which of the two is open), ``index``, ``item``, ``annotator`` (a column of their
    names), ``annotation`` (the labels of one annotator), or None for any other name, such as that of a class."""
    name = plain(head)
    if name in LABEL:
        return "label"
    if name in INDEX:
        return "index"
    if name in ITEM:
        return "item"
    if name in ANNOTATOR:
        return "annotator"
    if _NUMBERED.fullmatch(name):
        return "annotation"
    words = [word for word in name.split("_") if word not in LABEL]
    short = "_".join(words)
    return "noisy" if short in NOISY else "clean" if short in CLEAN else None


def find(heads: Iterable[str], wanted: str) -> list[str]:
    """The heads that have a role."""
    return [head for head in heads if role(head) == wanted]
