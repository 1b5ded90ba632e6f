"""Write checkpoints and models in a thread, while training goes on."""

import contextlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from pairgen.atomic import new_folder, os_errors
from pairgen.run_folder import CHECKPOINTS
from pairgen.train.distributed import World
from pairgen.train.output import moments, weights
from pairgen.train.output.checkpoint import MODEL, OPTIMIZER, RANDOM, STATE, Policy, TrainState, random_state


class Saver:
    """Writes the state of a run: what is written is copied first, then written by a thread of each process.

    One thing is written at a time. Every process must call the methods, in the same order.

    Args:
        keep: number of latest checkpoints to keep.
    """

    def __init__(self, run: Path, policy: Policy, keep: int, world: World) -> None:
        self._run, self._policy, self._keep, self._world = run, policy, keep, world
        self._group = world.own_group()
        self._thread = ThreadPoolExecutor(1)
        self._job: Future[None] | None = None

    def checkpoint(self, state: TrainState, wait: bool) -> None:
        """Write a checkpoint, then remove all but the latest ones.

        Args:
            wait: return when it is written; nothing is copied then.

        Raises:
            OutputError: it, or what was still being written, cannot be written.
        """
        self.wait()
        content = weights.snapshot(self._policy, self._world, not wait)
        optimizer = moments.snapshot(self._policy.weights(), self._policy.optimizer, not wait)
        random, state = random_state(), replace(state)

        def write_state(folder: Path) -> None:
            save_file(random, folder / RANDOM)
            (folder / STATE).write_text(json.dumps(asdict(state)), "utf-8")

        def write(folder: Path) -> None:
            self._write_model(folder / MODEL, content)
            moments.write(folder / OPTIMIZER, optimizer, self._group)
            self._agree(lambda: write_state(folder) if self._world.is_main else None)

        self._start(partial(self._replace, self._run / CHECKPOINTS / f"step-{state.step:08}", write), wait)

    def model(self, folder: Path, readme: str = "", wait: bool = True) -> None:
        """Write the model and its tokenizer, for ``from_pretrained``. Raises OutputError, as ``checkpoint``."""
        self.wait()
        content = weights.snapshot(self._policy, self._world, not wait)

        def write(new: Path) -> None:
            self._write_model(new, content)
            adds_readme = self._world.is_main and readme
            self._agree(lambda: (new / "README.md").write_text(readme, "utf-8") if adds_readme else None)

        self._start(partial(self._replace, folder, write), wait)

    @property
    def failed(self) -> bool:
        """Whether writing failed; ``wait`` raises the error."""
        return self._job is not None and self._job.done() and self._job.exception() is not None

    def wait(self) -> None:
        """Wait until everything is written. Raises OutputError if that failed, in whichever process."""
        job, self._job = self._job, None
        if job:
            job.result()

    def close(self) -> None:
        """Wait until everything is written, and end the thread. Raises nothing."""
        self._thread.shutdown()

    # ------------------------------------------------------------ in the thread

    def _start(self, write: Callable[[], None], wait: bool) -> None:
        self._job = self._thread.submit(write)
        if wait:
            self.wait()

    def _replace(self, path: Path, write: Callable[[Path], None]) -> None:
        """Fill a hidden folder, which the main process then moves to ``path``."""
        with os_errors(path), contextlib.ExitStack() as stack:
            folder = self._agree(lambda: stack.enter_context(new_folder(path)) if self._world.is_main else path)
            write(Path(self._world.text_of_main(str(folder), self._group)))
            self._agree(stack.close)
        if self._world.is_main and path.parent.name == CHECKPOINTS:
            for old in sorted(path.parent.glob("step-*"))[: -self._keep]:
                shutil.rmtree(old, ignore_errors=True)

    def _write_model(self, folder: Path, content: dict[str, Any]) -> None:
        self._agree(lambda: folder.mkdir(exist_ok=True) if self._world.is_main else None)
        self._agree(lambda: weights.write_part(folder, self._policy, content, self._world))
        self._agree(lambda: weights.merge_parts(folder) if self._world.is_main else None)

    def _agree(self, action: Callable[[], Any]) -> Any:
        return self._world.agree(action, self._group)
