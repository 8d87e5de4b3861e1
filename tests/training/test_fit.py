"""What people give to ``fit``: inputs, labels, models, losses and optimisers of every kind, and what is refused with a reason."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import BelowThreshold, build_loss, fit  # noqa: E402
from asymtheory_training.run.config import Settings  # noqa: E402
from torch import nn  # noqa: E402
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau, StepLR  # noqa: E402
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, WeightedRandomSampler  # noqa: E402

from asymtheory import InputError, build, symmetric  # noqa: E402

N, D, K = 60, 4, 3
Y = torch.arange(N) % K
X = torch.randn(N, D, generator=torch.Generator().manual_seed(0)) + 3 * torch.eye(K, D)[Y]
NAMES = ["bird", "cat", "dog"]
NAMED = [NAMES[k] for k in Y]
QUICK: dict[str, Any] = {"epochs": 2, "batch": 16, "rate": 0.1, "device": "cpu"}


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(D, K)


class Answers(nn.Module):
    """A model that wraps its logits."""

    def __init__(self, wrap: Callable[[Any], Any]) -> None:
        super().__init__()
        self.layer, self.wrap = linear(), wrap

    def forward(self, x: Any) -> Any:
        return self.wrap(self.layer(x))


class Text(nn.Module):
    """A model of tokens and a mask, as transformers has them: named inputs, logits in an object."""

    def __init__(self, tokens: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head, self.tokens = nn.Embedding(9, 6), nn.Linear(6, K), tokens

    def forward(self, input_ids: Any, attention_mask: Any = None, labels: Any = None) -> Any:
        assert labels is None
        states = self.embed(input_ids)
        if self.tokens:
            return SimpleNamespace(logits=self.head(states))
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return SimpleNamespace(loss=None, logits=self.head(pooled))


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(D, K), nn.Linear(2, K)

    def forward(self, a: Any, b: Any) -> Any:
        return self.a(a) + self.b(b)


class Rows(Dataset):  # type: ignore[type-arg]
    def __init__(self, of: Callable[[int], Any], count: int = N) -> None:
        self.of, self.count = of, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Any:
        if i >= self.count:
            raise IndexError
        return self.of(i)


class Flow(IterableDataset):  # type: ignore[type-arg]
    def __init__(self, of: Callable[[int], Any], each: int = 15) -> None:
        self.of, self.each = of, each

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, N, self.each):
            yield self.of(slice(start, start + self.each))


def weights(model: nn.Module) -> list[Any]:
    return [each.detach().clone() for each in model.parameters()]


# ------------------------------------------------------------------------------------- the same data in every container

SAME: dict[str, tuple[Any, Any]] = {
    "tensors": (X, Y),
    "numpy": (X.numpy(), Y.numpy()),
    "float64, int32": (X.numpy().astype(float), Y.numpy().astype(np.int32)),
    "big-endian": (X.numpy().astype(">f4"), Y.numpy().astype(">i8")),
    "uint8 labels": (X, Y.numpy().astype(np.uint8)),
    "uint16 labels": (X, Y.numpy().astype(np.uint16)),
    "lists": (X.tolist(), Y.tolist()),
    "list of tensors": (list(X), list(Y)),
    "list of arrays": (list(X.numpy()), Y.tolist()),
    "whole floats": (X, Y.double().numpy()),
    "float text": (X, [f"{k}.0" for k in Y.tolist()]),
    "a column (N, 1)": (X, Y[:, None]),
    "from 1": (X, Y + 1),
    "one-hot": (X, torch.eye(K)[Y]),
    "one-hot integers": (X, np.eye(K, dtype=int)[Y.numpy()]),
    "names": (X, NAMED),
    "names in numpy": (X, np.array(NAMED)),
    "names as objects": (X, np.array(NAMED, dtype=object)),
    "pandas": (pd.DataFrame(X.numpy()), pd.Series(Y.numpy())),
    "pandas, shuffled index": (pd.DataFrame(X.numpy(), index=range(N, 0, -1)), pd.Series(NAMED, index=range(5, N + 5))),
    "pandas, one column": (X, pd.DataFrame({"label": Y.numpy()})),
    "pandas categories": (X, pd.Series(pd.Categorical(NAMED, categories=["dog", "cat", "bird"]))),
    "polars": (pl.DataFrame(X.numpy()), pl.Series(Y.tolist())),
    "pyarrow": (pa.table({str(i): X[:, i].numpy() for i in range(D)}), pa.array(Y.tolist())),
    "polars names": (pl.DataFrame(X.numpy()), pl.Series(NAMED)),
    "sparse": (X.to_sparse(), Y),
    "a tuple of one": ((X,), Y),
    "a mapping of one": ({"input": X}, Y),
    "a mapping with labels": ({"input": X, "labels": Y}, None),
    "another name than the model's": ({"pixels": X, "label": Y}, None),
    "TensorDataset": (TensorDataset(X, Y), None),
    "Subset": (Subset(TensorDataset(X, Y), range(N)), None),
    "dataset of pairs": (Rows(lambda i: (X[i], int(Y[i]))), None),
    "dataset of arrays": (Rows(lambda i: (X[i].numpy(), np.int32(Y[i]))), None),
    "dataset of lists": (Rows(lambda i: {"input": X[i].tolist(), "label": int(Y[i]), "text": "left out"}), None),
    "dataset with names": (Rows(lambda i: (X[i], NAMED[i])), None),
    "dataset of mappings": (Rows(lambda i: ({"input": X[i]}, Y[i])), None),
    "dataset, labels apart": (Rows(lambda i: X[i]), Y.tolist()),
    "dataset, other labels": (Rows(lambda i: (X[i], 0)), Y.tolist()),
    "list of samples": ([(x, int(y)) for x, y in zip(X, Y, strict=True)], None),
    "list of records": ([{"input": x.tolist(), "target": int(y)} for x, y in zip(X, Y, strict=True)], None),
}


@pytest.mark.parametrize("kind", SAME)
def test_one_meaning_in_every_container(kind: str) -> None:
    """The same weights to the last bit, whatever holds the numbers."""
    model, (images, labels) = linear(), SAME[kind]
    history = fit(model, "gce", images, labels, **QUICK)
    wanted = linear()
    fit(wanted, build_loss("gce"), X, Y, **QUICK)
    soft = kind == "one-hot"
    for found, each in zip(weights(model), weights(wanted), strict=True):
        torch.testing.assert_close(found, each, rtol=1e-5 if soft else 0, atol=1e-6 if soft else 0)
    assert history.final.train > 0.5
    if "names" in kind or "categories" in kind or "shuffled" in kind:
        assert history.classes == tuple(NAMES)
        assert history.reading == "bird = 0, cat = 1, dog = 2"
        assert "labels: bird = 0" in str(history)
    elif kind == "from 1":
        assert history.reading == "labels 1..3 are 3 classes (0 never occurs)"


def test_the_order_of_class_names_may_be_given() -> None:
    history = fit(linear(), "ce", X, NAMED, classes=["dog", "cat", "bird"], true=NAMED, test=(X, NAMED), **QUICK)
    assert history.classes == ("dog", "cat", "bird")
    assert history.final.true == history.final.train == history.last.test


# --------------------------------------------------------------------------------------------- batches that come by themselves

FLOWS: dict[str, Any] = {
    "prepared batches": lambda: DataLoader([(X[part], Y[part]) for part in torch.arange(N).split(15)], batch_size=None),
    "loader": lambda: DataLoader(TensorDataset(X, Y), batch_size=15),
    "loader of names": lambda: DataLoader(Rows(lambda i: (X[i], NAMED[i])), batch_size=15),
    "loader of mappings": lambda: DataLoader(Rows(lambda i: {"input": X[i], "labels": Y[i]}), batch_size=15),
    "list of batches": lambda: Flow(lambda part: [X[part], Y[part]]),
    "iterable data set": lambda: Flow(lambda part: (X[part], Y[part])),
    "loader of an iterable": lambda: DataLoader(Flow(lambda part: (X[part], Y[part])), batch_size=None),
    "loader, int32": lambda: DataLoader(TensorDataset(X.double(), Y.int()), batch_size=15),
    "own collate": lambda: DataLoader(
        Rows(lambda i: i),
        batch_size=15,
        collate_fn=lambda which: (X[which[0] : which[-1] + 1], Y[which[0] : which[-1] + 1]),
    ),
}


@pytest.mark.parametrize("kind", FLOWS)
def test_batches_of_a_loader(kind: str) -> None:
    """Batches in the loader's size and order: the weights of a plain loop."""
    model, plain = linear(), linear()
    history = fit(
        model,
        nn.CrossEntropyLoss(),
        FLOWS[kind](),
        optimiser=partial(torch.optim.SGD, lr=0.1),
        test=FLOWS[kind](),
        epochs=3,
    )
    steps = torch.optim.SGD(plain.parameters(), lr=0.1)
    for _ in range(3):
        for part in torch.arange(N).split(15):
            steps.zero_grad()
            nn.functional.cross_entropy(plain(X[part]), Y[part]).backward()
            nn.utils.clip_grad_norm_(plain.parameters(), 5.0)
            steps.step()
    for found, each in zip(weights(model), weights(plain), strict=True):
        torch.testing.assert_close(found, each)
    accuracy = (plain(X).argmax(1) == Y).double().mean().item()
    assert history.final.train == history.last.test == pytest.approx(accuracy)
    assert len(history.curve) == 3


def test_a_sampler_of_the_users_is_kept() -> None:
    sampler = WeightedRandomSampler([1.0] * N, 20, generator=torch.Generator().manual_seed(0))
    fit(linear(), "gce", DataLoader(TensorDataset(X, Y), batch_size=5, sampler=sampler), measure="frozen", epochs=2)
    fit(linear(), "gce", TensorDataset(X, Y), epochs=1, workers=1)
    fit(linear(), "gce", DataLoader(TensorDataset(X[:7], Y[:7]), batch_size=1), epochs=1, progress=True)


# --------------------------------------------------------------------------------------------------------------- models

WRAPS: dict[str, Callable[[Any], Any]] = {
    "mapping": lambda z: {"logits": z},
    "mapping of one": lambda z: {"scores": z},
    "segmentation": lambda z: {"out": z, "aux": z},
    "tuple": lambda z: (z, None),
    "object": lambda z: SimpleNamespace(logits=z),
}


@pytest.mark.parametrize("kind", WRAPS)
def test_logits_in_what_a_model_returns(kind: str) -> None:
    assert (
        fit(Answers(WRAPS[kind]), "ce", X, Y, test=(X, Y), **QUICK).last.test
        == fit(linear(), "ce", X, Y, test=(X, Y), **QUICK).last.test
    )


def test_text_models_of_several_inputs() -> None:
    tokens = torch.randint(9, (N, 5), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(tokens)
    mask[::2, 3:] = 0
    encoded = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": torch.zeros_like(tokens)}
    found = []
    for images, labels in (
        (encoded, Y), ({name: each.tolist() for name, each in encoded.items()}, Y.tolist()), ((tokens, mask), Y),
        (Rows(lambda i: {**{name: each[i].tolist() for name, each in encoded.items()}, "label": int(Y[i]), "text": "x"}), None),
        (Rows(lambda i: (tokens[i], mask[i], Y[i])), None), (Rows(lambda i: ((tokens[i], mask[i]), Y[i])), None),
    ):  # fmt: skip
        model = Text()
        fit(model, "gce", images, labels, test=(encoded, Y), **QUICK)
        found.append(weights(model))
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))
    loader = DataLoader(
        Rows(lambda i: {**{name: each[i] for name, each in encoded.items()}, "labels": Y[i]}), batch_size=16
    )
    assert 0 <= fit(Text(), "gce", loader, test=loader, epochs=1).last.test <= 1
    both = Two()
    fit(both, "gce", (X, X[:, :2]), Y, test=((X, X[:, :2]), Y), **QUICK)
    fit(both, "gce", {"b": X[:, :2], "a": X}, Y, **QUICK)


def test_labels_of_every_token_and_pixel() -> None:
    """(N, T, K) as transformers has it, (N, K, d1, d2) as torch has it; padding is ignored."""
    tokens = torch.randint(K, (N, 5), generator=torch.Generator().manual_seed(1))
    labels = torch.where(torch.arange(5) < 3, tokens, -100)
    for images in ({"input_ids": tokens}, tokens):
        history = fit(Text(tokens=True), "jal-ce", images, labels, epochs=20, batch=16, rate=0.1, test=(images, labels))
        assert history.final.train == history.last.test == 1
    pixels, mask = torch.rand(12, 1, 4, 4), torch.rand(12, 4, 4).lt(0.5).long()
    mask[:, 0] = 255
    conv = nn.Conv2d(1, 2, 1)
    found = fit(conv, build_loss("gce", ignore_index=255), pixels, mask, test=(pixels, mask), epochs=1, batch=4)
    kept = mask != 255
    with torch.no_grad():
        assert found.final.train == pytest.approx((conv(pixels).argmax(1) == mask)[kept].double().mean().item())
    with pytest.raises(InputError, match="the loss leaves out 255; give it the same ignore_index"):
        fit(conv, build_loss("gce", ignore_index=255), pixels, torch.where(kept, mask, 7), ignore_index=7, epochs=1)


def test_bytes_are_images() -> None:
    found = []
    for images in ((X * 20 + 99).byte(), (X * 20 + 99).byte().float() / 255):
        model = linear()
        fit(model, "gce", images, Y, **QUICK)
        found.append(weights(model))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


# ------------------------------------------------------------------------------------------------- labels that are missing

GAPS: dict[str, Any] = {
    "-100": torch.where(torch.arange(N) < 30, Y, -100),
    "-1": torch.where(torch.arange(N) < 30, Y, -1),
    "NaN": np.where(np.arange(N) < 30, Y.numpy().astype(float), np.nan),
    "None": [int(y) if i < 30 else None for i, y in enumerate(Y)],
    "names and None": [name if i < 30 else None for i, name in enumerate(NAMED)],
    "pandas.NA": pd.Series([int(y) if i < 30 else None for i, y in enumerate(Y)], dtype="Int64"),
    "polars null": pl.Series([int(y) if i < 30 else None for i, y in enumerate(Y)]),
}


@pytest.mark.parametrize(
    ("kind", "loss"),
    [*((kind, "gce") for kind in GAPS), *(("-100", loss) for loss in ("reduction none", "plain", "label smoothing"))],
)
def test_half_the_labels_are_missing(kind: str, loss: str) -> None:
    """Accuracies are of the labels that there are; losses too, by every kind of loss."""
    made: Any = {
        "gce": "gce",
        "reduction none": build_loss("gce", reduction="none"),
        "label smoothing": "ls",
        "plain": nn.MultiMarginLoss(),
    }[loss]
    model, true = linear(), NAMED if "names" in kind else Y
    history = fit(model, made, X, GAPS[kind], true=true, test=(X, GAPS[kind]), **{**QUICK, "batch": 8, "epochs": 12})
    with torch.no_grad():
        hit = (model(X).argmax(1) == Y).double()
    assert history.final.train == history.final.clean == history.last.test == pytest.approx(hit[:30].mean().item())
    assert history.final.train > 0.8
    assert history.final.true == pytest.approx(hit.mean().item())
    assert history.final.memorised is None
    assert 0.6 < history.last.fitted.train <= 1


def test_a_batch_without_labels_is_skipped() -> None:
    """As if it were not there: the same weights, in a loader and by number, for momentum does not move them either."""
    gaps = torch.where(torch.arange(N) < 30, Y, -100)
    found = []
    for loader in (
        DataLoader(TensorDataset(X, gaps), batch_size=15),
        DataLoader(TensorDataset(X[:30], Y[:30]), batch_size=15),
    ):
        model = linear()
        history = fit(model, "gce", loader, epochs=2)
        found.append((weights(model), history.last.loss, history.final.train))
    assert found[0][1:] == found[1][1:]
    assert all(torch.equal(a, b) for a, b in zip(found[0][0], found[1][0], strict=True))
    with pytest.raises(InputError, match="without a single label"):
        fit(linear(), "gce", X, torch.full((N,), -100), epochs=1)
    history = fit(linear(), "gce", X[:8], [0, None, None, None, None, None, None, None], epochs=3, batch=2)
    assert all(math.isfinite(epoch.loss) for epoch in history.curve)


# ------------------------------------------------------------------------------------------------------ losses and noise


def test_losses_by_name_and_noise() -> None:
    fit(linear(), None, X, Y, formula="1 - u**q", parameters={"q": 0.7}, **QUICK)
    fit(linear(), build("gce", q=0.5), X, Y, **QUICK)
    fit(linear(), nn.functional.cross_entropy, X, Y, **QUICK)
    with pytest.warns(BelowThreshold, match="is not asymmetric on this noise"):
        fit(linear(), "agce", X, Y, parameters={"a": 0.01, "q": 0.6}, noise="symmetric", eta=0.5, **QUICK)
    with pytest.warns(BelowThreshold, match="is not asymmetric"):
        fit(linear(), build_loss("agce", a=0.01), X, Y, noise=symmetric(K, 0.5), **QUICK)
    model, other = linear(), linear()
    fit(
        model, "agce", X, Y, noise=[[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]], **QUICK
    )  # parameters that tolerate it
    fit(other, "agce", X, Y, noise=symmetric(K, 0.4), **QUICK)
    assert all(torch.equal(a, b) for a, b in zip(weights(model), weights(other), strict=True))
    soft = 0.9 * torch.eye(K)[Y] + 0.1 / K
    assert fit(linear(), "jal-ce", X, soft, true=Y, **QUICK).final.train > 0.5


# ---------------------------------------------------------------------------------------------------- one's own optimiser


def test_own_optimiser_and_scheduler() -> None:
    model = linear()
    history = fit(model, "ce", X, Y, optimiser=torch.optim.AdamW(model.parameters(), lr=0.05), epochs=5, batch=16)
    assert history.final.train > 0.9
    rates = [
        epoch.rate
        for epoch in fit(
            linear(),
            "ce",
            X,
            Y,
            optimiser=partial(torch.optim.SGD, lr=1.0),
            scheduler=partial(StepLR, step_size=1, gamma=0.5),
            epochs=3,
        ).curve
    ]
    assert rates == [1.0, 0.5, 0.25]
    own = torch.optim.SGD(model.parameters(), lr=1.0)
    steps = LambdaLR(own, lambda step: 1 / (1 + step))
    history = fit(model, "ce", X, Y, optimiser=own, scheduler=steps, scheduler_every="step", batch=20, epochs=2)
    assert [epoch.rate for epoch in history.curve] == pytest.approx([1 / 4, 1 / 7])  # after 3 and 6 steps
    plateau = partial(ReduceLROnPlateau, patience=0, threshold=10.0, threshold_mode="abs")
    rates = [
        epoch.rate
        for epoch in fit(
            linear(), "ce", X, Y, optimiser=partial(torch.optim.SGD, lr=1.0), scheduler=plateau, epochs=3
        ).curve
    ]
    assert rates[-1] < 1.0


# --------------------------------------------------------------------------------------------------------------- refused

REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"labels": torch.eye(K)[Y] + torch.eye(K)[(Y + 1) % K]},
        "probabilities of row 0 sum to 2, not to 1: several labels",
    ),
    ({"labels": (torch.eye(K)[Y] + torch.eye(K)[(Y + 1) % K]).long()}, "several labels a sample"),
    ({"labels": [[0], [0, 1]] * 30}, "different lengths; several labels a sample"),
    ({"labels": torch.rand(N, K + 1)}, r"labels of shape \(60, 4\): \(N,\), or probabilities \(N, 3\)"),
    ({"labels": Y + 5}, r"label 5 at position 0 is outside 0..2"),
    ({"labels": Y - 7}, "is below 0"),
    ({"labels": [True] * N}, "is not a label"),
    ({"labels": Y.bool()}, "whole numbers 0..2 or class names"),
    ({"labels": [f"class {i}" for i in range(N)]}, "the labels name 60 classes .* the model has 3 outputs"),
    ({"labels": NAMED, "classes": ["cat", "dog", "fish"]}, "'bird' is none of the classes"),
    ({"labels": NAMED, "true": Y}, "mixed labels"),
    ({"labels": Y[:-1]}, "59 labels for 60 images"),
    ({"labels": None}, "labels are needed"),
    ({"images": ["a text"] * N}, "text goes through a tokeniser first"),
    ({"images": [[1.0], [1.0, 2.0]] * 30}, "numbers of one shape are needed"),
    ({"images": (X, X[:3])}, "inputs of several parts are of the same samples"),
    ({"images": X.long()}, r"the model cannot be called with int64 inputs \(2, 4\)"),
    ({"images": X[:, :2]}, r"the model cannot be called with float32 inputs \(2, 2\)"),
    ({"images": torch.zeros(1, D)}, "at least 2 are needed"),
    ({"images": iter([(X, Y)]), "labels": None}, "an iterator is gone through once"),
    ({"images": DataLoader(TensorDataset(X, Y))}, "the batches of a loader bring their own"),
    ({"images": DataLoader(TensorDataset(X, Y)), "labels": None, "true": Y}, "need samples in a fixed order"),
    ({"images": DataLoader(TensorDataset(X, Y + 1)), "labels": None}, "label 3 is outside 0..2"),
    ({"images": DataLoader(TensorDataset(X)), "labels": None}, "has no labels"),
    ({"images": DataLoader(TensorDataset(X, Y)), "labels": None, "loss": "nlnl"}, "needs them by number"),
    ({"images": Rows(lambda i: (X[i, : 1 + i % 2], 0)), "labels": None}, "cannot be put into one batch"),
    ({"images": [(X[:9], Y[:9]), (X[9:], Y[9:])], "labels": None}, "a list of batches cannot be told from samples"),
    ({"images": Rows(lambda i: X[i]), "labels": None}, "the samples have no labels"),
    ({"labels": [None, *Y.tolist()[1:]], "loss": "nlnl"}, "needs one label of every sample"),
    ({"loss": "jal"}, "jal"),
    ({"loss": nn.BCEWithLogitsLoss()}, r"the loss BCEWithLogitsLoss cannot be called with logits \(60, 3\)"),
    ({"model": 3}, "the model is int; an nn.Module is needed"),
    ({"loss": 3}, "a loss is a name such as 'jal-ce'"),
    ({"parameters": {"a": 3}}, "this one is a module and has its own"),
    ({"noise": "symmetric", "eta": 0.2}, "CrossEntropyLoss is not a loss of the theory"),
    ({"loss": "gce", "noise": symmetric(4, 0.2)}, "noise: it is of 4 classes, the model has 3 outputs"),
    ({"model": Answers(lambda z: {"a": z, "b": z})}, "the model returned dict of a, b: logits are needed"),
    ({"model": Answers(lambda z: z[:, 0])}, r"logits \(N, K\) are needed"),
    ({"optimiser": "adam"}, "optimiser 'adam': an instance is needed, or what makes one"),
    ({"optimiser": torch.optim.Adam(nn.Linear(2, 2).parameters())}, "it has none of the model's weights"),
    ({"optimiser": torch.optim.AdamW, "rate": 0.5}, "rate is of the loop's own SGD; give it to your optimiser"),
    ({"optimiser": torch.optim.AdamW, "regularisation": "l2", "strength": 1e-4}, "give weight_decay to your optimiser"),
    ({"optimiser": torch.optim.AdamW, "scheduler": StepLR}, "scheduler: it cannot be made"),
    ({"scheduler": partial(StepLR, step_size=1)}, "scheduler goes with optimiser"),
    ({"optimiser": torch.optim.LBFGS}, "LBFGS evaluates the loss several times"),
    ({"test": 3}, "test: "),
    ({"test": (X, Y[:4])}, "4 test labels for 60 images"),
]


@pytest.mark.parametrize(("changed", "message"), REFUSED)
def test_refused_in_one_line(changed: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "model": linear(),
        "loss": nn.CrossEntropyLoss(),
        "images": X,
        "labels": Y,
        "epochs": 2,
        **changed,
    }
    with pytest.raises(InputError, match=message) as error:
        fit(**arguments)
    assert "\n" not in str(error.value)


def test_every_setting_is_a_parameter() -> None:
    """By the names and with the defaults of the command's settings, and no others."""
    parameters = inspect.signature(fit).parameters
    assert not any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for field in dataclasses.fields(Settings):
        assert parameters[field.name].default == field.default, field.name
    with pytest.raises(TypeError, match="epoch"):
        fit(linear(), "ce", X, Y, epoch=3)


@pytest.mark.parametrize("page", ["training/python", "losses-torch"])
def test_the_blocks_of_a_page_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[2] / "docs" / f"{page}.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for block in text.split("```python\n")[1:]:
            exec(block.split("```")[0], names)
    assert capsys.readouterr().out
