"""Datasets at a URL: written to a temporary folder of this machine, then uploaded through fsspec, the manifest last."""

import atexit
import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pairgen.atomic import staging
from pairgen.errors import OutputError, OutputExists
from pairgen.pairs.dataset import MANIFEST, PairDataset
from pairgen.progress import BuildPhase, Progress
from pairgen.sources.urls import UrlFile, filesystem, is_url, reason_of, without_secrets

PROBE = ".pairgen-probe-"
"""How the names of the files begin that try whether a URL can be written."""


def is_remote(out: str | os.PathLike[str]) -> bool:
    """Whether an output is a URL rather than a folder."""
    return is_url(os.fspath(out))


def shown(out: str | os.PathLike[str]) -> str:
    """An output as it is shown: a URL without what may be secret in it."""
    return without_secrets(os.fspath(out)) if is_remote(out) else str(out)


def written_to(
    url: str, write: Callable[[Path], PairDataset], overwrite: bool = False, progress: Progress = lambda *_: None
) -> PairDataset:
    """Have a dataset written to a temporary folder, and upload it.

    Without a manifest, what is at the URL is no dataset: the manifest is the last file to be uploaded, and the first to
    be removed if a dataset is replaced. An object store cannot rename, so that there is none meanwhile.

    Args:
        write: writes a new dataset to the folder that it is given.

    Returns:
        the local copy, which lasts as long as this process.

    Raises:
        UsageError: an unknown protocol, or one whose package is not installed.
        OutputExists: there are files, and ``overwrite`` is False or they are not a dataset.
        OutputError: the URL cannot be written, which a small file tries before the dataset is made. If the upload
            fails, the finished dataset is kept on this machine, and the message says where.
    """
    files, root = filesystem(url, OutputError)
    url = without_secrets(url)
    with _output_errors(url):
        _check_replaceable(files, root, url, overwrite)
        _check_writable(files, root)
    with contextlib.ExitStack() as stack:
        # The folder has the name of the output, which the dataset's card tells.
        folder = stack.enter_context(staging(Path(tempfile.gettempdir()) / "pairgen-upload")) / UrlFile(url).name
        dataset = write(folder)
        with _kept_on_failure(folder, url), _output_errors(url):
            _check_replaceable(files, root, url, overwrite)  # builds take hours: another one may have ended meanwhile
            _upload(folder, files, root, progress)
        atexit.register(stack.pop_all().close)
    return dataset


def _check_replaceable(files: Any, root: str, url: str, overwrite: bool) -> None:
    if not _found(files, root):
        return
    if not files.exists(f"{root}/{MANIFEST}"):
        raise OutputExists(f"{url}: contains files that pairgen did not write; choose another --out")
    if not overwrite:
        raise OutputExists(f"{url}: already exists; replace it with --overwrite, or choose another --out")


def _found(files: Any, root: str) -> set[str]:
    """The files in a folder, without those of ``_check_writable`` that could not be removed."""
    files.invalidate_cache()
    return {str(path) for path in files.find(root) if not str(path).startswith(f"{root}/{PROBE}")}


def _check_writable(files: Any, root: str) -> None:
    """Write a small file and remove it, so that what cannot be uploaded is known before hours of work."""
    is_new = "/" in root.strip("/") and not files.exists(root)
    probe = f"{root}/{PROBE}{secrets.token_hex(4)}"
    files.makedirs(root, exist_ok=True)
    try:
        files.pipe_file(probe, b"This file tries whether a dataset can be written here.")
    finally:
        _remove(files, [probe], root if is_new else None)


def _upload(folder: Path, files: Any, root: str, progress: Progress) -> None:
    """Upload the files of a folder: those that replace none first, the manifest last. Then those that are left of
    the dataset that was there, which no manifest names any more, are removed as far as that is possible.

    If that fails, the new files are removed, and the dataset that was there has its manifest again, unless a file of it
    had to be replaced by one of the same name.
    """
    before = _found(files, root)
    sizes = {
        f"{root}/{file.relative_to(folder).as_posix()}": (file, file.stat().st_size)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    last = f"{root}/{MANIFEST}"
    places = sorted(sizes, key=lambda place: (place == last, place in before))
    total = sum(size for _, size in sizes.values())
    old = files.cat_file(last) if last in before else None
    started: set[str] = set()
    done = 0
    progress(BuildPhase.UPLOADING, 0, total)
    try:
        if old is not None:
            files.rm(last)
        for place in places:
            started.add(place)
            files.makedirs(place.rpartition("/")[0], exist_ok=True)
            files.put_file(str(sizes[place][0]), place)
            done += sizes[place][1]
            progress(BuildPhase.UPLOADING, done, total)
    except BaseException:
        is_spoiled = bool(before & (started - {last}))
        _remove(files, sorted(started | before if is_spoiled else started), root)
        if old is not None and not is_spoiled:
            with contextlib.suppress(Exception):
                files.pipe_file(last, old)
        raise
    _remove(files, sorted(path for path in before - sizes.keys() if path.startswith(f"{root}/")), None)


def _remove(files: Any, places: list[str], folder: str | None) -> None:
    """Remove files, as far as that is possible, and then a folder if nothing is left in it."""
    for place in places:
        with contextlib.suppress(Exception):
            files.rm(place)
    with contextlib.suppress(Exception):
        files.invalidate_cache()
        if folder and not files.find(folder):
            files.rm(folder, recursive=True)


@contextlib.contextmanager
def _kept_on_failure(folder: Path, url: str) -> Iterator[None]:
    """If the upload of a finished dataset fails, move it to where it stays, and say so."""
    try:
        yield
    except (OutputError, KeyboardInterrupt) as error:
        kept = Path(tempfile.mkdtemp(prefix="pairgen-")) / (UrlFile(url).name or "dataset")
        folder.rename(kept)
        where = f"the finished dataset is kept in {kept}: copy it to {url} with the tools of that service, or move it"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"nothing was written to {url}; {where}") from None
        raise type(error)(f"{error}; {where}") from error


@contextlib.contextmanager
def _output_errors(url: str) -> Iterator[None]:
    """Raise an OutputError in place of the errors of fsspec and the packages behind it."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:
        raise OutputError(
            f"{url}: cannot be written ({reason_of(error)}); no incomplete output was left behind"
        ) from error
