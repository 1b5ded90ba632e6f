"""Calls over processes: order, failures that cross, workers that die, processes that end."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from pairgen.building.workers import LOOK_AHEAD, Workers
from pairgen.errors import (
    InvalidDataset,
    OutputError,
    OutputExists,
    PairgenError,
    SourceError,
    SourceNotFound,
    UsageError,
    ValidationFailed,
    WrongColumns,
)

KINDS: list[type[PairgenError]] = [
    PairgenError,
    UsageError,
    SourceError,
    SourceNotFound,
    WrongColumns,
    OutputError,
    OutputExists,
    InvalidDataset,
    ValidationFailed,
]


def slow_first(number: int) -> tuple[int, int]:
    """The later, the quicker."""
    time.sleep(0.02 * (4 - number % 5))
    return number, os.getpid()


def fail(case: PairgenError) -> None:
    raise case


def fail_on_disk(code: int) -> None:
    raise OSError(code, "as the disk says")


def die(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_while_sending(number: int) -> bytes:
    if number == 1:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()  # the parent reads the first result then
    return bytes(200 << 20) if number == 1 else b""


def sleep_unless_first(number: int) -> int:
    if not number:
        raise UsageError("the first one fails")
    time.sleep(60)
    return number


def heed_interrupts(_: int) -> bool:
    return signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_are_in_the_order_of_the_items(count: int) -> None:
    with Workers(count, slow_first) as pool:
        answers = list(pool.map(range(10)))
        again = list(pool.map(range(3)))
    assert [number for number, _ in answers] == list(range(10))
    assert [number for number, _ in again] == [0, 1, 2]
    processes = {process for _, process in answers}
    assert (processes == {os.getpid()}) is (count == 1)


@pytest.mark.parametrize("count", [1, 2])
def test_no_items_no_results(count: int) -> None:
    with Workers(count, slow_first) as pool:
        assert list(pool.map([])) == []


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_errors_of_workers_are_raised(kind: type[PairgenError], count: int) -> None:
    with pytest.raises(PairgenError, match="one sentence") as error, Workers(count, fail) as pool:
        list(pool.map([kind("one sentence")]))
    assert type(error.value) is kind
    assert error.value.exit_code == kind.exit_code


@pytest.mark.parametrize("count", [1, 2])
def test_os_error_keeps_its_number(count: int) -> None:
    with pytest.raises(OSError, match="as the disk says") as error, Workers(count, fail_on_disk) as pool:
        list(pool.map([28]))
    assert error.value.errno == 28


def test_death_of_a_worker_is_one_message() -> None:
    with pytest.raises(PairgenError, match=r"a worker process died, .*try --workers 1"), Workers(2, die) as pool:
        list(pool.map(range(4)))
    assert not multiprocessing.active_children()


def test_death_of_a_worker_that_is_sending_a_result() -> None:
    with Workers(2, die_while_sending) as pool:
        results = pool.map(range(4))
        assert next(results) == b""
        time.sleep(1)
        with pytest.raises(PairgenError, match="a worker process died"):
            next(results)


def test_error_kills_the_other_workers_and_no_other_process() -> None:
    stranger = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    stranger.start()
    try:
        start = time.monotonic()
        with pytest.raises(UsageError, match="the first one fails"), Workers(2, sleep_unless_first) as pool:
            list(pool.map(range(4)))
        assert time.monotonic() - start < 20
        assert multiprocessing.active_children() == [stranger], "the workers are gone, the stranger is not"
        assert stranger.is_alive()
    finally:
        stranger.kill()
        stranger.join()


def test_workers_ignore_interrupts() -> None:
    with Workers(2, heed_interrupts) as pool:
        assert list(pool.map(range(4))) == [False] * 4
    with Workers(1, heed_interrupts) as pool:
        assert list(pool.map([0])) == [True]


def test_look_ahead_is_bounded() -> None:
    read = []

    def items() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    with Workers(2, slow_first) as pool:
        for done, _ in enumerate(pool.map(items())):
            assert len(read) - done <= 2 * LOOK_AHEAD + 1


_IS_SHARED = """
import sys
from pairgen.building.options import BuildOptions
from pairgen.building.engines.local import LocalEngine
from pairgen.building.planning import Plan

reader = Plan.of("metamath", BuildOptions(("sample:20",))).reader()
assert "pandas" not in sys.modules
print(all(reader.map("", lambda split, rows: "pandas" in sys.modules, LocalEngine(2), lambda *_: None)))
"""


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="processes are spawned here")
def test_workers_share_what_pyarrow_imports() -> None:
    """Each worker would import pandas for its first array: 50 MB and a fifth of a second."""
    done = subprocess.run([sys.executable, "-c", _IS_SHARED], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
