"""Every example in a docstring of the public functions is run and prints what it says.

Seen failing: with one printed number changed.
"""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Callable
from html import unescape

import pytest

import asymtheory
from asymtheory import check, solve, symmetric
from asymtheory.answers import Answer
from asymtheory.errors import of_arguments, of_options
from asymtheory.losses import Loss
from asymtheory.losses.registry import as_loss

FUNCTIONS = [name for name in asymtheory.__all__ if callable(getattr(asymtheory, name)) and name.islower()]


@pytest.mark.parametrize(
    "module", sorted({getattr(asymtheory, name).__module__ for name in FUNCTIONS} | {"asymtheory"})
)
def test_examples_print_what_they_say(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_has_an_example(name: str) -> None:
    documented = getattr(asymtheory, name).__doc__
    assert ">>>" in documented or name in ("from_formula", "register", "load"), (
        name
    )  # a file, a class; formulas have docs/own-loss.md


def test_a_loss_by_name_is_the_loss() -> None:
    noise = symmetric(10, 0.4)
    for given in ("amse:a=3", as_loss("amse", {"a": 3})):
        assert check(given, noise) == check("amse", noise, a=3)
    assert isinstance(as_loss("nce+agce:alpha=10,a=6"), Loss)
    for wrong, message in (
        ("amse:a", "NAME=VALUE"),
        ("amse:b=3", "has no parameter 'b'"),
        ("amsee", "did you mean 'amse'"),
    ):
        with pytest.raises(asymtheory.InputError, match=message):
            check(wrong, noise)
    with pytest.raises(asymtheory.InputError, match="a name such as 'amse'"):
        check(3, noise)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: check("amsee", symmetric(10, 0.4)), "loss 'amsee' is not a known loss; did you mean 'amse'?"),
        (lambda: solve("amse", symmetric(10, 0.4), "b"), "parameter: amse has no parameter 'b' (it has: a, q)"),
        (lambda: asymtheory.resolve("cifar10n-worse", 7), "K = 7: noise 'cifar10n-worse' has 10 classes"),
        (lambda: asymtheory.resolve("pair", 10), "noise pair needs eta (the noise rate, in [0, 1])"),
        (lambda: asymtheory.from_formula("1-a*u"), "formula: parameter a has no value (a=...)"),
        (lambda: asymtheory.select(K=10, eta=0.3, confidence=2), "confidence = 2: must be in (0, 1)"),
    ],
)  # fmt: skip
def test_errors_speak_of_arguments_in_python_and_of_options_in_a_command(
    act: Callable[[], object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asymtheory.InputError, "options", False)
    with pytest.raises(asymtheory.InputError) as caught:
        act()
    assert str(caught.value).startswith(message)
    with of_options():
        assert "--" in str(caught.value)
    assert "--" not in str(caught.value)


def test_commands_that_an_error_names_stay_commands() -> None:
    assert of_arguments("--all or a name (asymtheory figure --list lists them)") == (
        "all or a name (asymtheory figure --list lists them)"
    )


def test_no_stray_names() -> None:
    for package in ("asymtheory", "asymtheory.losses", "asymtheory.noise", "asymtheory.threshold", "asymtheory.study"):
        found = importlib.import_module(package)
        assert set(dir(found)) - {"__version__"} == set(found.__all__), package


class Hostile(Answer):
    def __str__(self) -> str:
        return "<script>alert('&')</script>"


def test_answers_show_themselves_escaped() -> None:
    answer = solve("amse", symmetric(10, 0.4))
    shown = answer._repr_html_()
    assert shown.startswith("<pre")
    assert str(answer) in unescape(shown)
    assert "<script>" not in Hostile()._repr_html_()
