"""The same sweep on many machines: dask.distributed (the extra ``cluster``).

    dask scheduler --scheduler-file s.json            # one, anywhere
    dask worker --scheduler-file s.json --nthreads 1  # as many as you like, wherever the package is installed
    asymtheory sweep plan.toml --scheduler tcp://host:8786

Workers come and go; the scheduler hands a run whose worker died to another, at most ``distributed.scheduler.allowed-failures``
times (3). Where workers see the folder of the sweep under the same path, the run goes on from its checkpoint there. The sweep
itself writes the results, so a run that was trained twice still has one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from asymtheory.errors import InputError
from asymtheory.jsonlines import JsonValue

from .flow import Outcome, Task, execute

TIMEOUT = 10.0  # seconds for the scheduler to answer
INSTALL = "--scheduler needs an extra: pip install 'asymtheory[cluster]'"


class ClusterEngine:
    """Workers of the scheduler at ``address``. ``resources``: what a run takes of them, such as ``{"GPU": 1}``.

    All runs are handed to the scheduler at once. Raises InputError where no scheduler answers, where the extra is not
    installed, and for workers of several threads: a run needs its process for itself, as torch's random state does.
    """

    slots: int | None = None

    def __init__(self, address: str, resources: Mapping[str, float] | None = None) -> None:
        try:
            from distributed import Client  # of the extra "cluster"
            from distributed.comm import get_address_host_port
        except ImportError as error:
            raise InputError(f"{INSTALL} ({error})") from None
        try:
            get_address_host_port(address)
        except ValueError as error:  # a client made with such an address would speak again when it is thrown away
            raise InputError(f"--scheduler {address}: tcp://HOST:PORT is needed ({error})") from None
        try:
            self.client: Any = Client(address, timeout=TIMEOUT, set_as_default=False)
        except OSError as error:  # TimeoutError among them
            raise InputError(f"--scheduler {address}: no scheduler answers there ({_first_line(error)})") from None
        for name, facts in self.workers().items():
            if facts["nthreads"] != 1:
                self.client.close()
                raise InputError(
                    f"--scheduler {address}: worker {name} has {facts['nthreads']} threads; start workers with --nthreads 1"
                )
        self.executor = self.client.get_executor(pure=False, **({"resources": dict(resources)} if resources else {}))

    def workers(self) -> Mapping[str, JsonValue]:
        """The workers there are now, by address."""
        found: Mapping[str, JsonValue] = self.client.scheduler_info(n_workers=-1)["workers"]
        return found

    def submit(self, task: Task) -> Future[Outcome]:
        future: Future[Outcome] = self.executor.submit(execute, task)
        return future

    def renew(self) -> None:
        """Nothing to do: the scheduler starts runs of dead workers again."""

    def close(self, now: bool) -> None:
        self.executor.shutdown(wait=not now)
        self.client.close()


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def parse_resources(text: str) -> dict[str, float]:
    """``GPU=1,MEMORY=2e9`` as a table; InputError for anything else."""
    found = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        try:
            amount = float(value)
        except ValueError:
            amount = 0.0
        if not (name.strip() and equals and 0 < amount < float("inf")):
            raise InputError(f"--resources {text}: NAME=AMOUNT is needed, such as GPU=1")
        found[name.strip()] = amount
    return found
