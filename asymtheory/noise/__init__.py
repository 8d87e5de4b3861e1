"""Noise models: from a name, a rate, a table, labels or a file to one row of class weights for every true class."""

from ..numbers.text import (
    Number,
    parse_number,
    show,
)
from .models import (
    FAMILIES,
    FIXED_CLASSES,
    KINDS,
    MEASURED,
    check_classes,
    check_rate,
    cifar10,
    cifar100,
    cifar100_blocks,
    cifar100_names,
    cifar100_superclasses,
    class_map,
    family,
    from_counts,
    from_labels,
    from_matrix,
    from_posteriors,
    from_weights,
    mnist,
    named,
    pair,
    symmetric,
    uniform,
    worst_weights,
)
from .resolve import (
    load,
    resolve,
)
from .rows import (
    NoiseModel,
    Posteriors,
    Row,
    SampleRows,
)

__all__ = [
    "FAMILIES",
    "FIXED_CLASSES",
    "KINDS",
    "MEASURED",
    "NoiseModel",
    "Number",
    "Posteriors",
    "Row",
    "SampleRows",
    "check_classes",
    "check_rate",
    "cifar10",
    "cifar100",
    "cifar100_blocks",
    "cifar100_names",
    "cifar100_superclasses",
    "class_map",
    "family",
    "from_counts",
    "from_labels",
    "from_matrix",
    "from_posteriors",
    "from_weights",
    "load",
    "mnist",
    "named",
    "pair",
    "parse_number",
    "resolve",
    "show",
    "symmetric",
    "uniform",
    "worst_weights",
]


def __dir__() -> list[str]:
    return sorted(__all__)
