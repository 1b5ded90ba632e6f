"""Runs of a study one after another, or several at a time, each in a process and on a CPU core of its own."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from pairgen.building.workers import exit_with_parent
from pairgen.pairs.dataset import PairDataset
from pairgen.studies.running.plan import Variant
from pairgen.studies.running.workspace import Finished, Workspace

T = TypeVar("T")

RUNS = "runs"
"""The phase that finished runs are reported under."""
STARTS = "starting models"


@dataclass(frozen=True)
class Job:
    """A training run to do."""

    variant: Variant
    data: PairDataset
    start: str
    seed: int
    learning_rate: float

    @property
    def name(self) -> str:
        """For progress."""
        return f"{self.variant.data} {self.variant.name}, learning rate {self.learning_rate:g}, seed {self.seed}"


class Workers:
    """Does jobs in the processes of ``setting.workers``; with one worker, in this process."""

    def __init__(self, workspace: Workspace, total: int) -> None:
        """Args: total: number of runs of the study."""
        self.workspace, self.total, self.done = workspace, total, 0
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        if self.workspace.setting.workers > 1:
            context = multiprocessing.get_context("spawn")  # a fork of a process that has used torch may hang
            self._pool = ProcessPoolExecutor(self.workspace.setting.workers, context, _begin)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=kind is not None)

    def starts(self, wanted: Sequence[tuple[PairDataset, int]]) -> list[str]:
        """The starting model of each dataset and seed."""
        report = self.workspace.progress

        def finished(done: int) -> None:
            if self.workspace.setting.is_tiny:
                report(STARTS, done, len(wanted), {})

        return self._map(_start, [(self._workspace, data, seed) for data, seed in wanted], finished)

    def runs(self, jobs: Sequence[Job]) -> list[Finished]:
        """The finished runs, in the order of the jobs."""
        first = {(job.data.path, job.start): job for job in jobs}
        self._map(_reference, [(self._workspace, job) for job in first.values()], lambda _: None)
        before = self.done

        def finished(done: int) -> None:
            self.done = before + done
            self.workspace.progress(RUNS, self.done, self.total, {"next": jobs[done].name} if done < len(jobs) else {})

        finished(0)
        return self._map(_run, [(self._workspace, job) for job in jobs], finished)

    @property
    def _workspace(self) -> Workspace:
        """What a job works with: in another process, without callbacks."""
        return Workspace(self.workspace.setting) if self._pool else self.workspace

    def _map(
        self, function: Callable[..., T], arguments: Iterable[tuple[object, ...]], finished: Callable[[int], None]
    ) -> list[T]:
        if not self._pool:
            found = []
            for number, of_one in enumerate(arguments, 1):
                found.append(function(*of_one))
                finished(number)
            return found
        futures: list[Future[T]] = [self._pool.submit(function, *of_one) for of_one in arguments]
        for number, future in enumerate(as_completed(futures), 1):
            future.result()
            finished(number)
        return [future.result() for future in futures]


def _begin() -> None:
    """In a worker: use one core, and do not outlive the study, whose runs would otherwise go on unseen."""
    exit_with_parent()
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)


def _start(workspace: Workspace, data: PairDataset, seed: int) -> str:
    return workspace.start(data, seed)


def _reference(workspace: Workspace, job: Job) -> None:
    workspace.reference(
        workspace.config(job.variant, job.data, job.start, job.seed, job.learning_rate), job.data, job.start
    )


def _run(workspace: Workspace, job: Job) -> Finished:
    return workspace.run(job.variant, job.data, job.start, job.seed, job.learning_rate)
