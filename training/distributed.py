"""Several processes that train one model: torch's DistributedDataParallel, arranged so that their number changes nothing.

    torchrun --nproc-per-node 4 -m asymtheory_training train --config run.toml --out runs/a

Every process takes its slice of every batch of ``batch`` images; orders, labels and random changes are those of one process.
A rank's loss is weighted by its share of the batch, so that the averaged gradient is that of the whole batch even where the
shares differ, and batch norms use the statistics of the whole batch. Hence N processes and one process take the same steps, up
to the rounding of sums; only dropout draws other numbers. Rank 0 alone writes files and shows progress.
"""

from __future__ import annotations

import inspect
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TextIO

import torch
import torch.distributed as dist
from torch import Tensor, nn

from asymtheory.errors import InputError
from asymtheory.jsonlines import Json

PATIENCE = timedelta(minutes=60)  # for processes that wait for a slow one: lists, checkpoints, a test set on one disk
PAUSE = 2.0  # seconds that a failing process waits for rank 0 to say what is wrong, for it may have failed as well
FAILED, BAD_INPUT, STOPPED = 1, 2, 130


@dataclass(frozen=True)
class World:
    """The processes that train together: this one's `rank` of `size`, and how many there are `on_this_machine`."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    on_this_machine: int = 1

    @property
    def leads(self) -> bool:
        """Does this process write files and show progress?"""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This rank's part of `count` images: whole numbers that differ by at most one, in the order of the ranks."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def weight(self, count: int) -> float:
        """What a mean over this rank's part is multiplied by, so that the mean over ranks is that over all `count`."""
        part = self.share(count)
        return (part.stop - part.start) * self.size / count

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over the processes, in place; every process must ask for it."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def from_leader(self, make: Callable[[], object]) -> Any:
        """What `make` returns in rank 0, in every process."""
        if self.size == 1:
            return make()
        box = [make() if self.leads else None]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Rank 0 goes through the block before the others do: for files that the first one fetches."""
        if not self.leads:
            self.meet()
        yield
        if self.leads:
            self.meet()

    def meet(self) -> None:
        """Wait for the others."""
        self.sum(torch.zeros(1))

    def device(self, device: torch.device) -> torch.device:
        """This process's own: on GPUs, the one of its number. InputError for more processes than GPUs and for a number."""
        if self.size == 1 or device.type != "cuda":
            return device
        if device.index is not None:
            raise InputError(f"--device {device}: {self.size} processes cannot share one device; say cuda, or auto")
        if self.local_rank >= torch.cuda.device_count():
            raise InputError(f"{self.on_this_machine} processes on a machine with {torch.cuda.device_count()} GPUs")
        return torch.device("cuda", self.local_rank)

    def check_batches(self, samples: int, batch: int) -> None:
        """InputError where the last batch of an epoch has fewer images than there are processes."""
        last = samples % batch
        last = batch + 1 if last == 1 and samples > batch else last or batch  # one image joins the batch before it
        least = min(last, batch, samples)
        if least < self.size:
            raise InputError(
                f"--batch {batch}: a batch of {least} images (of {samples}) cannot be shared by {self.size} processes"
            )


ALONE = World()


def current() -> World:
    """The processes that have joined, or this one alone."""
    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    local = int(os.environ.get("LOCAL_RANK", dist.get_rank()))
    return World(dist.get_rank(), dist.get_world_size(), local, int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


# ------------------------------------------------------------------------------------------------------- the model


def parallel(model: nn.Module, world: World, device: torch.device) -> tuple[nn.Module, nn.Module]:
    """(the model with shared batch norms, the same wrapped for training): what is kept, and what steps go through.

    Parameters and buffers keep their names, so a checkpoint of N processes is one of a single process too. Rank 0's weights
    are those of all.
    """
    if world.size == 1:
        return model, model
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model) if device.type == "cuda" else share_batch_norms(model)
    data_parallel = nn.parallel.DistributedDataParallel
    # running statistics are the same everywhere, for they come from the whole batch: no step has to send them round
    newer = "forward_sync_buffers" in inspect.signature(data_parallel).parameters  # torch >= 2.13
    quiet: Json = {"forward_sync_buffers" if newer else "broadcast_buffers": False}
    ids = [device.index] if device.type == "cuda" else None
    return model, data_parallel(model, device_ids=ids, gradient_as_bucket_view=True, **quiet)


def share_batch_norms(module: nn.Module) -> nn.Module:
    """The module with every batch norm replaced by a :class:`SharedBatchNorm` of the same parameters."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return SharedBatchNorm.of(module)
    for name, child in module.named_children():
        setattr(module, name, share_batch_norms(child))
    return module


class _Sum(torch.autograd.Function):
    """The sum over processes; each one's gradient is the sum of all their gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm over the batches of all processes, for CPUs; torch's SyncBatchNorm does it on GPUs only.

    In training, mean and variance (the biased one) are those of all images and places of all processes, computed in two
    passes; the running variance gets the unbiased one. Processes may hold batches of different sizes.
    """

    @classmethod
    def of(cls, norm: nn.modules.batchnorm._BatchNorm) -> SharedBatchNorm:
        """The module with the parameters and buffers of `norm` themselves, not copies."""
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        made.train(norm.training)
        made._parameters, made._buffers = norm._parameters, norm._buffers
        return made

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"at least two axes are needed, not {input.ndim}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)
        x = input if input.dtype == torch.float64 else input.float()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        local = torch.cat([x.sum(axes), x.new_tensor([x.numel() // x.shape[1]])])
        total = _Sum.apply(local)
        count = total[-1].detach()
        mean = total[:-1] / count
        centred = x - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean.to(self.running_mean), share)
                self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var), share)
        scaled = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)


# ------------------------------------------------------------------------------------------------------- the command


def together(run: Callable[[], int]) -> int:
    """Run a command in every process that torchrun started, as one: one voice, one end. Returns the exit status.

    Rank 0 prints what the command prints, the others nothing. When a process fails, one of them says so in one line (rank 0 if
    it failed as well), and all end: torchrun stops those that still run.
    """
    stdout, stderr = sys.stdout, sys.stderr
    store: Any = None
    rank = int(os.environ["RANK"])
    silence = open(os.devnull, "w") if rank else None  # closed when the process ends
    status = FAILED
    try:
        if silence is not None:
            sys.stdout = sys.stderr = silence
        store = _join()
        status = run()
    except InputError as error:
        status = BAD_INPUT
        _say(store, stderr, str(error))
    except KeyboardInterrupt:
        status = STOPPED
    except Exception as error:
        if _is_lost(error):
            _say(store, stderr, f"another process is gone, so this one ends too ({_brief(error)})")
        else:
            _say(store, stderr, traceback.format_exc().rstrip())
    finally:
        sys.stdout, sys.stderr = stdout, stderr
    if status == 0:
        dist.destroy_process_group()
        return status
    if rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        time.sleep(
            PAUSE
        )  # the store lives in this process (torchrun keeps it in its own): the others read it once more
    stdout.flush()
    stderr.flush()
    os._exit(status)  # an orderly end would wait for the processes that are gone


def _join() -> Any:
    """Meet the other processes; returns the store that they share. InputError where they cannot be met."""
    try:
        store, rank, size = next(iter(dist.rendezvous("env://", timeout=PATIENCE)))
        gpus = torch.cuda.is_available() and dist.is_nccl_available()
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if gpus else "gloo",
            store=dist.PrefixStore("training", store),
            rank=rank,
            world_size=size,
            timeout=PATIENCE,
        )
    except (RuntimeError, ValueError) as error:
        raise InputError(f"the {os.environ['WORLD_SIZE']} processes cannot meet ({_brief(error)})") from None
    if gpus and (local := current().local_rank) < torch.cuda.device_count():
        torch.cuda.set_device(local)
    return store


def _say(store: Any, stream: TextIO, text: str) -> None:
    """Print what went wrong, unless another process has: rank 0 at once, the others if it stays silent, naming themselves."""
    rank, size = int(os.environ["RANK"]), os.environ["WORLD_SIZE"]
    if store is None:  # they never met
        mine = not rank
    else:
        try:
            wait = time.monotonic() + min(rank, 1) * PAUSE
            while time.monotonic() < wait and not store.check(["spoken"]):
                time.sleep(0.05)
            mine = store.compare_set("spoken", "", str(rank)) == str(rank).encode()
        except RuntimeError:  # the store went down with the process that kept it
            mine = True
    if mine:
        print(f"asymtheory train: {f'process {rank} of {size}: ' if rank else ''}{text}", file=stream, flush=True)


def _is_lost(error: Exception) -> bool:
    """Is this what a process sees when another one ends in the middle of a sum?"""
    text = str(error)
    words = ("gloo", "NCCL", "Connection closed", "Connection reset", "Broken pipe", "Socket Timeout")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(word in text for word in words)
    )


def _brief(error: BaseException) -> str:
    lines = (str(error) or type(error).__name__).splitlines()
    return lines[0] if len(lines[0]) <= 160 else lines[0][:157] + "..."
