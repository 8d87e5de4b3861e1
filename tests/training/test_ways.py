"""The benchmark of ways: it trains what the library trains, and its pages are those of its results."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from asymtheory_training import build_loss  # noqa: E402
from asymtheory_training.data.inputs import Data, Images, stream  # noqa: E402
from asymtheory_training.run.config import Settings  # noqa: E402
from asymtheory_training.run.loop import Trainer  # noqa: E402
from asymtheory_training.run.models import build_model  # noqa: E402
from asymtheory_training.run.stack import Families, StackedTrainer  # noqa: E402

from asymtheory.losses import build  # noqa: E402

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "training"


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])


@pytest.mark.parametrize("way", ["constant", "ramp:a:1::0.4", "ramp:a:1::1:vertices", "start:ce:0.6"])
def test_a_model_of_the_benchmark_is_a_run_of_the_library(way: str) -> None:
    from _regret_runs import equal_scale  # beside the benchmarks only
    from _ways_runs import Leading, Led

    random = torch.Generator().manual_seed(0)
    images = torch.randn(60, 1, 4, 4, generator=random, dtype=torch.float64)
    data = Data(Images(images), torch.arange(60) % 3, torch.arange(60) % 3)
    loss, settings = build("amse", a=Fraction(8)), Settings(epochs=4, batch=10, clip=math.inf, precision="float64")
    rates = (0.05, 1.5)
    families = Families([Leading([Led("amse", loss, way, rate) for rate in rates], 3, 24)])
    stack = StackedTrainer(families, data, Settings(**{**vars(settings), "rate": 1.0}), [5], K=3, width=0.05)
    for _ in stack.remaining():
        stack.epoch()
    model = build_model("mlp", 3, (1, 4, 4), 0.05, stream(5, 0, "weights"))
    schedule = "cosine" if way == "constant" else way
    own = Settings(**{**vars(settings), "rate": rates[1] * equal_scale(loss, 3), "seed": 5, "schedule": schedule})
    alone = Trainer(model, build_loss(loss), data, own)
    for _ in alone.remaining():
        alone.epoch()
    for name, weight in alone.model.state_dict().items():
        torch.testing.assert_close(stack.model.member(1)[name], weight, rtol=1e-8, atol=1e-9)
    if "vertices" in way:
        (family,) = families.families
        assert isinstance(family, Leading)
        assert 0 < family.ended[1] < 1


def test_the_page_of_ways_is_that_of_its_results() -> None:
    from _ways_page import written
    from _ways_rules import read

    tasks = read()
    assert (PAGES / "ways.md").read_text() == written(tasks)
