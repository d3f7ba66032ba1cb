"""A network between the processes of one machine, as slow as one between machines.

A wait stands beside each real message on the loopback, in the background where that is.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, sleep
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel


class Link(NamedTuple):
    """What messages take: one after the other by their bytes, and each a latency on top."""

    name: str
    latency: float = 0.0  # seconds
    bandwidth: float = float("inf")  # bytes per second, in each direction

    def seconds(self, num_bytes: float, processes: int = 2) -> float:
        """How long a sum over the processes takes the link of each, in a ring."""
        return 2 * (processes - 1) / processes * num_bytes / self.bandwidth


LOOPBACK = Link("loopback")
SLOW = Link("1 ms, 1 Gbit/s", latency=1e-3, bandwidth=1e9 / 8)


class Network:
    """The messages of this process, on a link that can be another one from now on."""

    def __init__(self) -> None:
        self.link = LOOPBACK
        self._free_at = 0.0
        self._courier = ThreadPoolExecutor(1)
        self._all_reduce = dist.all_reduce

    def slow_down(self) -> None:
        """Have every all_reduce and all_gather of `torch.distributed` take the link's time."""
        dist.all_reduce = self._slow(dist.all_reduce, argument=0)
        dist.all_gather = self._slow(dist.all_gather, argument=1)

    def slow_down_ddp(self, network: DistributedDataParallel) -> None:
        """The same of DDP's messages, which go past Python: by a hook of theirs."""
        network.register_comm_hook(self, _average_slowly)

    def arrival(self, message: Tensor) -> float:
        """When a message that is sent now will have arrived."""
        begin = max(perf_counter(), self._free_at)
        self._free_at = begin + self.link.seconds(message.nbytes)
        return self._free_at + self.link.latency

    def _slow(self, collective: Callable[..., Any], argument: int) -> Callable[..., Any]:
        def slow(*args: Any, async_op: bool = False, **others: Any) -> Any:  # noqa: ANN401
            arrival = self.arrival(args[argument])
            work = _Work(collective(*args, async_op=True, **others), arrival)
            if async_op:
                return work
            work.wait()
            return None

        return slow

    def average(self, message: Tensor) -> torch.futures.Future[Tensor]:
        arrival = self.arrival(message)
        work = _Work(self._all_reduce(message.div_(dist.get_world_size()), async_op=True), arrival)
        future: torch.futures.Future[Tensor] = torch.futures.Future()

        def deliver() -> None:
            work.wait()
            future.set_result(message)

        self._courier.submit(deliver)
        return future


class _Work(NamedTuple):
    real: Any
    arrival: float

    def wait(self) -> None:
        self.real.wait()
        sleep(max(0.0, self.arrival - perf_counter()))


def _average_slowly(
    network: Network,
    bucket: dist.GradBucket,  # type: ignore[name-defined] # no stub has it; DDP looks for it
) -> torch.futures.Future[Tensor]:
    return network.average(bucket.buffer())
