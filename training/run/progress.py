"""A progress bar over the steps of a run."""

from __future__ import annotations

from typing import Never

from tqdm import tqdm

from .loop import Trainer
from .record import Epoch


class Progress:
    """A bar on standard error over the steps of a run, or nothing."""

    def __init__(self, trainer: Trainer, wanted: bool) -> None:
        self.bar: tqdm[Never] | None = None
        if wanted:
            steps = trainer.steps
            total, done = (None, 0) if steps is None else (steps * trainer.settings.epochs, steps * trainer.done)
            self.bar = tqdm(total=total, initial=done, unit="step", leave=False, dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def tick(self) -> None:
        if self.bar is not None:
            self.bar.update()

    def show(self, epoch: Epoch) -> None:
        """The epoch's figures beside the bar."""
        if self.bar is not None:
            test = {} if epoch.test is None else {"test": f"{epoch.test:.4f}"}
            self.bar.set_postfix({"epoch": epoch.epoch, "loss": f"{epoch.loss:.4g}", **test})
