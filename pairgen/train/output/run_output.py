"""The folder of a run: created, replaced, and removed again if the run fails before it has logged anything."""

import contextlib
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pairgen import run_folder
from pairgen.atomic import os_errors
from pairgen.errors import OutputExists, PairgenError, RunFolderError
from pairgen.train.distributed import World

WRITTEN = (
    run_folder.METRICS,
    run_folder.PAIRS,
    *run_folder.FOLDERS,
    run_folder.REFERENCE_MODEL,
    run_folder.NON_FINITE.format(rank="*"),
    ".*",
    run_folder.CONFIG,  # last: a folder that still has it is known to be a run
)
"""Patterns of the files that a run writes, in the order in which --overwrite removes them."""


def create_folder(run: Path, overwrite: bool) -> None:
    """Create the run's folder. Raises OutputExists if it has other content, or a run and ``overwrite`` is false."""
    with os_errors(run):
        if run.exists() and not run.is_dir():
            raise OutputExists(f"{run}: is a file; choose another --out")
        if run.is_dir() and (names := [path.name for path in run.iterdir()]):
            others = [name for name in names if not any(Path(name).match(pattern) for pattern in WRITTEN)]
            if others or run_folder.CONFIG not in names:
                example = f" ({others[0]})" if others else ""
                raise OutputExists(f"{run}: contains other files{example}; choose another --out")
            if not overwrite:
                raise OutputExists(f"{run}: already contains a run; use --resume, or replace it with --overwrite")
            _remove_run(run)
        run.mkdir(parents=True, exist_ok=True)


def _remove_run(run: Path) -> None:
    """Remove the files that a run has written."""
    for path in [path for pattern in WRITTEN for path in run.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


VISIBLE_WITHIN = 90.0
"""Seconds after which a file on a network file system is seen by nodes that did not find it before (NFS: 60)."""


def check_shared(run: Path, seconds: float = VISIBLE_WITHIN) -> None:
    """Wait until this process sees the folder of a run, which the main process has created.

    Raises:
        RunFolderError: it is not there within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not (run / run_folder.CONFIG).is_file():
        if time.monotonic() > deadline:
            raise RunFolderError(
                f"{run}: not found on {platform.node()}, although another process of the run has created it; processes "
                "on several nodes need --out on a file system that all of them share"
            )
        time.sleep(0.1)


@contextlib.contextmanager
def removed_if_empty(run: Path, world: World) -> Iterator[None]:
    """Remove the folder of a run that fails before it logs anything, so that the corrected command can use it."""
    try:
        yield
    except (PairgenError, KeyboardInterrupt):
        if world.is_main and not list(run.rglob(run_folder.METRICS)):
            _remove_run(run)
            with contextlib.suppress(OSError):
                run.rmdir()
        raise


Imports = Mapping[str, Callable[[Path], object]]
"""Datasets that a run writes before it reads them: their names in ``Config.data``, and what writes them to a folder."""


@contextlib.contextmanager
def staged(imports: Imports, run: Path) -> Iterator[Path]:
    """A temporary folder on the disk of the run, with the imports in it under their names."""
    near = next(folder for folder in run.absolute().parents if folder.is_dir())
    if not imports:
        yield near
        return
    with os_errors(near), tempfile.TemporaryDirectory(prefix=".pairgen-", dir=near, ignore_cleanup_errors=True) as new:
        folder = Path(new) / run_folder.IMPORTED
        for name, write in imports.items():
            write(folder / name)
        yield folder


def located(data: Sequence[str], imports: Collection[str], folder: Path) -> tuple[str, ...]:
    """The folders of datasets, of which some were imported to ``folder``."""
    return tuple(str(folder / name) if name in imports else name for name in data)
