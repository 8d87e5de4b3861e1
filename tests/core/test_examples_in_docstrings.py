"""Every example in a docstring of the public functions is run and prints what it says.

Seen failing: with one printed number changed.
"""

from __future__ import annotations

import doctest
import importlib
from html import unescape

import pytest

import asymtheory
from asymtheory import check, solve, symmetric
from asymtheory.answers import Answer
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
