"""RobustClassifier in the manner of scikit-learn: its own checks, pipelines, searches, pickles, labels of any kind, noise."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import BelowThreshold, RobustClassifier, build_loss  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402
from torch import nn  # noqa: E402

from asymtheory import InputError, symmetric  # noqa: E402

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
NAMES = np.array(["setosa", "versicolor", "virginica"])
Quick = partial(RobustClassifier, epochs=3, batch=16, rate=0.1)


def test_all_checks_of_scikit_learn() -> None:
    """Every one that check_estimator has; the array API is skipped by scikit-learn itself, unless scipy is told of it."""
    found = check_estimator(Quick(), on_skip=None)
    assert {each["check_name"] for each in found if each["status"] != "passed"} <= {"check_array_api_input"}
    assert len(found) > 50


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        (NAMES[Y], NAMES), (NAMES[Y].astype(object), NAMES), (pd.Series(NAMES[Y]), NAMES), (Y.astype(np.uint8), [0, 1, 2]),
        (Y - 1, [-1, 0, 1]), (Y * 10.0, [0, 10, 20]), (Y == 1, [False, True]), (list(Y), [0, 1, 2]),
    ],
    ids=str,
)  # fmt: skip
def test_labels_come_back_as_they_were(labels: Any, values: Any) -> None:
    model = Quick("gce").fit(X, labels)
    assert list(model.classes_) == list(values)
    predicted = model.predict(X)
    assert set(predicted) <= set(values)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert list(predicted) == list(model.classes_[probabilities.argmax(1)])


def test_wrong_labels_in_a_pipeline_and_a_search() -> None:
    wrong = np.random.default_rng(0).random(len(Y)) < 0.3
    noisy = np.where(wrong, (Y + 1) % 3, Y)
    whole = make_pipeline(StandardScaler(), Quick("agce", noise=symmetric(3, 0.3), epochs=20, random_state=1))
    assert whole.fit(X, NAMES[noisy]).score(X, NAMES[Y]) > 0.85
    grid = {
        "robustclassifier__loss": ["jal-ce", "gce"],
        "robustclassifier__parameters": [None, {"alpha": 2}, {"q": 0.5}],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), Quick()), [
        {"robustclassifier__loss": ["jal-ce"], "robustclassifier__parameters": [None, {"a": 3}]},
        {"robustclassifier__loss": ["gce"], "robustclassifier__parameters": [{"q": 0.5}]},
    ], cv=2).fit(X, noisy)  # fmt: skip
    assert search.best_params_["robustclassifier__loss"] in grid["robustclassifier__loss"]
    assert cross_val_score(Quick(), X, Y, cv=2).mean() > 0.5


def test_noise_chooses_the_parameters() -> None:
    model = Quick("agce", noise="symmetric", eta=0.4).fit(X, Y)
    assert model.loss_.asymmetric_on(symmetric(3, 0.4)).asymmetric
    assert Quick("agce", noise=0.8 * np.eye(3) + 0.2 / 3 * np.ones((3, 3))).fit(X, Y).loss_.loss.name == "agce"
    with pytest.warns(BelowThreshold):
        Quick("agce", noise="symmetric", eta=0.5, parameters={"a": 0.01}).fit(X, Y)
    assert Quick(build_loss("mae")).fit(X, Y).loss_.loss.name == "mae"


def test_clones_pickles_and_seeds() -> None:
    """The same seed is the same network; a pickle and a clone are the same classifier."""
    model = Quick(module=nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)), optimiser=torch.optim.AdamW)
    first = model.fit(X, Y).predict_proba(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), first)
    fresh = clone(model)
    assert not hasattr(fresh, "module_")
    np.testing.assert_array_equal(fresh.fit(X, Y).predict_proba(X), first)
    by_seed = [Quick(random_state=seed).fit(X, Y).predict_proba(X) for seed in (0, 0, 1)]
    assert np.array_equal(by_seed[0], by_seed[1])
    assert not np.array_equal(by_seed[0], by_seed[2])
    assert model.set_params(epochs=5).get_params()["epochs"] == 5


def test_partial_fit() -> None:
    model = Quick("gce")
    with pytest.raises(InputError, match="the first call needs classes"):
        model.partial_fit(X[:20], Y[:20])
    for start in range(0, 150, 30):
        part = np.arange(150).reshape(5, 30).T.ravel()[start : start + 30]  # of all classes
        model.partial_fit(X[part], NAMES[Y[part]], classes=NAMES)
    assert model.n_iter_ == 5
    assert model.score(X, NAMES[Y]) > 0.7
    model.partial_fit(X[:10], NAMES[Y[:10]])  # of one class alone
    with pytest.raises(InputError, match="label 'daisy' is not among the classes"):
        model.partial_fit(X[:2], ["daisy", "setosa"])
    with pytest.raises(InputError, match="not those of the first call"):
        model.partial_fit(X[:2], ["setosa", "setosa"], classes=["a", "b"])


def test_images_and_tokens_for_a_module_of_ones_own() -> None:
    images = np.repeat(X[:, None, :, None], 2, axis=3)
    made = Quick(module=nn.Sequential(nn.Flatten(), nn.Linear(8, 3))).fit(images, Y)
    assert made.predict(images).shape == Y.shape
    tokens = np.digitize(X, [-1, 0, 1])
    embedding = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(12, 3))
    assert Quick(module=embedding).fit(tokens, Y).score(tokens, Y) > 0.5
    factory = Quick(module=nn.Linear).fit(pd.DataFrame(X, columns=list("abcd")), Y)
    assert list(factory.feature_names_in_) == list("abcd")


@pytest.mark.parametrize(
    ("changed", "y", "message"),
    [
        ({}, np.zeros(150), "one class alone, '0.0'"),
        ({}, np.eye(3, dtype=int)[Y], "several labels a sample"),
        ({"module": nn.Linear(7, 3)}, Y, "the model cannot be called with float32 inputs"),
        ({"module": nn.Linear(4, 2)}, Y, "label 2 .* is outside 0..1"),
        ({"loss": "jal"}, Y, "jal"),
        ({"noise": symmetric(4, 0.1)}, Y, "noise: it is of 4 classes"),
        ({"optimiser": "adam"}, Y, "optimiser 'adam'"),
        ({"module": "mlp"}, Y, "module 'mlp': an nn.Module, or what makes one"),
    ],
)
def test_refused_in_one_line(changed: dict[str, Any], y: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Quick(**changed).fit(X, y)
    with pytest.raises(NotFittedError):
        Quick().predict(X)
