"""Device, precision and determinism of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json
from asymtheory.numbers.text import plural

from ..data.inputs import Batch, Inputs, mapped
from ..distributed import ALONE, World
from .calls import PLAIN, Call
from .config import Settings

SMALL = 10**8  # floating-point operations of a forward pass below which one thread is faster than two


def find_device(name: str) -> torch.device:
    """``auto`` (a CUDA device if there is one), ``cpu``, ``cuda``, ``cuda:1``, ...; InputError for what is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = check_device(name)
    try:
        torch.zeros(1, device=device).item()  # the "meta" device holds no numbers
    except (RuntimeError, AssertionError, NotImplementedError):
        here = "cpu" + "".join(f", cuda:{i}" for i in range(torch.cuda.device_count()))
        raise InputError(f"--device {name}: cannot be used (here: auto, {here})") from None
    return device


def check_device(name: str) -> torch.device:
    """The device of that name, whether this machine has it or another; InputError for what is not a device."""
    try:
        return torch.device("cpu" if name == "auto" else name)
    except RuntimeError:
        raise InputError(
            f"--device {name}: cannot be used: not a device of torch (auto, cpu, cuda, cuda:1, ...)"
        ) from None


@dataclass(frozen=True)
class Setup:
    """How a model is computed: ``auto`` resolved for the device.

    ``auto`` is float32 on a CPU, where bfloat16 was half as fast on one machine and 2.6 times as fast on another (one with
    bfloat16 instructions), and bfloat16 autocast on a GPU. channels_last gains a fifth to a third (benchmarks/loop.py).
    """

    device: torch.device
    dtype: torch.dtype  # of weights and inputs
    autocast: torch.dtype | None
    channels_last: bool
    threads: int

    @classmethod
    def of(
        cls, settings: Settings, model: nn.Module, images: Inputs, world: World = ALONE, call: Call = PLAIN
    ) -> Setup:
        device = world.device(find_device(settings.device))
        precision = settings.precision
        if precision == "auto":
            bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
            precision = "bfloat16" if bf16 else "float32"
        convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
        return cls(
            device,
            torch.float64 if precision == "float64" else torch.float32,
            torch.bfloat16 if precision == "bfloat16" else None,
            settings.channels_last == "on" or (settings.channels_last == "auto" and convolves),
            settings.threads
            or (1 if device.type == "cpu" and _small(model, images, settings, call) else torch.get_num_threads()),
        )

    def computing(self) -> AbstractContextManager[object]:
        """The context of a forward pass."""
        return nullcontext() if self.autocast is None else torch.autocast(self.device.type, dtype=self.autocast)

    def inputs(self, x: Batch) -> Batch:
        if not self.channels_last:
            return x
        return mapped(lambda part: part.contiguous(memory_format=torch.channels_last) if part.ndim == 4 else part, x)

    def to_dict(self) -> Json:
        cuda = self.device.type == "cuda"
        return {
            "type": self.device.type,
            "name": torch.cuda.get_device_name(self.device) if cuda else f"cpu ({plural(self.threads, 'thread')})",
            "threads": self.threads,
            "precision": str(self.autocast or self.dtype).removeprefix("torch."),
            "channels_last": self.channels_last,
        }


def _small(model: nn.Module, images: Inputs, settings: Settings, call: Call) -> bool:
    """Does a forward pass of one batch take so little that threads would mostly wait for each other?"""
    first = next(model.parameters(), None)
    if first is None or first.device.type != "cpu":
        return False
    training = model.training
    model.eval()
    try:
        x = mapped(
            lambda part: part.to(first.device, first.dtype if part.is_floating_point() else None),
            images.batch(slice(0, 1), first.dtype),
        )
        with torch.no_grad(), FlopCounterMode(display=False) as counted:
            call(model, x)
    finally:
        model.train(training)
    return counted.get_total_flops() * settings.batch < SMALL


def compiled(forward: Callable[..., object], how: str) -> Callable[..., object]:
    """The forward pass as torch.compile makes it at its first call: ``on``, or ``graphs`` for CUDA graphs.

    InputError where it cannot, for instance because there is no C++ compiler.
    """
    through = torch.compile(forward, mode="reduce-overhead" if how == "graphs" else "default")

    def run(*inputs: object, **named: object) -> object:
        try:
            return through(*inputs, **named)
        except RuntimeError as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            (why, *_) = str(error).splitlines()
            raise InputError(
                f"compile {how}: torch cannot compile the network here ({why}); off is what remains"
            ) from error

    return run


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Torch's CPU threads inside; their number is as it was outside."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class seeded:
    """Torch's own generators at a seed inside, and as they were outside: for dropout in a user's model."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.seed = seed
        self.generators = [torch.default_generator]
        if device.type == "cuda":
            index = torch.cuda.current_device() if device.index is None else device.index
            self.generators.append(torch.cuda.default_generators[index])

    def __enter__(self) -> None:
        self.states = [each.get_state() for each in self.generators]
        for each in self.generators:
            each.manual_seed(self.seed)

    def __exit__(self, *error: object) -> None:
        for each, state in zip(self.generators, self.states, strict=True):
            each.set_state(state)
