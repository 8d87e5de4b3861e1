"""The examples run as scripts and learn; those of Lightning and the Hugging Face Trainer where these are installed.

Seen failing: with an unknown loss, with labels that are all wrong, and with a loop that does not step.
"""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NEEDED = {
    "plain_torch.py": ("torch", "sklearn"),
    "lightning_module.py": ("torch", "sklearn", "lightning"),
    "hf_trainer.py": ("torch", "sklearn", "transformers", "accelerate"),
    "causal_lm.py": ("torch", "transformers", "accelerate"),
}
DIGITS = [name for name in NEEDED if "sklearn" in NEEDED[name]]


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(NEEDED)


def printed_by(name: str, *arguments: str) -> str:
    missing = [package for package in NEEDED[name] if find_spec(package) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}, not installed here")
    command = [sys.executable, EXAMPLES / name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.slow
def test_an_example_learns_digits_from_wrong_labels(name: str) -> None:
    printed = printed_by(name)
    found = re.search(r"jal-ce: (\S+) % of the test set, trained on 40% wrong labels", printed)
    assert found is not None, printed
    assert float(found[1]) > 90


@pytest.mark.slow
def test_a_language_model_learns_the_rule_and_not_the_wrong_tokens() -> None:
    printed = printed_by("causal_lm.py", "ce", "agce")
    pattern = r"(\w+): (\S+) % of clean next tokens, trained on 30% wrong ones, of which it learnt (\S+) %"
    found = {loss: (float(clean), float(learnt)) for loss, clean, learnt in re.findall(pattern, printed)}
    assert found.keys() == {"ce", "agce"}, printed
    (ce, by_heart), (agce, learnt) = found["ce"], found["agce"]
    assert agce > ce + 5
    assert learnt < by_heart / 2


@pytest.mark.slow
def test_accumulated_parts_have_the_gradient_of_their_batch(tmp_path: Path) -> None:
    """The Trainer on 24 samples as one batch and as parts of unequal numbers of labels: the same weights after a step.

    Seen failing: with the mean over each part in place of the sum over all labels.
    """
    for package in NEEDED["hf_trainer.py"]:
        pytest.importorskip(package)
    import torch
    from transformers import Trainer, TrainingArguments

    example = runpy.run_path(str(EXAMPLES / "hf_trainer.py"))
    x = torch.randn(24, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(24) % 3
    labels[:9] = -100  # the first parts have few
    rows = [{"pixel_values": row, "labels": int(label)} for row, label in zip(x, labels, strict=True)]

    def stepped(parts: int) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = example["Classifier"](torch.nn.Linear(5, 3))
        arguments = TrainingArguments(
            str(tmp_path), max_steps=2, per_device_train_batch_size=24 // parts, gradient_accumulation_steps=parts,
            learning_rate=1.0, max_grad_norm=0.0, optim="sgd", lr_scheduler_type="constant", use_cpu=True, seed=0,
            save_strategy="no", report_to="none", disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        Trainer(model, arguments, train_dataset=rows, compute_loss_func=example["for_trainer"]("gce")).train()
        return [each.detach() for each in model.parameters()]

    whole = stepped(1)
    for parts in (2, 6):
        for found, each in zip(stepped(parts), whole, strict=True):
            torch.testing.assert_close(found, each)
