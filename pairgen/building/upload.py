"""Datasets at a URL: written to a temporary folder of this machine, then uploaded through fsspec, the manifest last."""

import atexit
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pairgen.atomic import staging
from pairgen.errors import OutputError, OutputExists, in_short
from pairgen.pairs.dataset import MANIFEST, PairDataset
from pairgen.progress import BuildPhase, Progress
from pairgen.sources.urls import UrlFile, filesystem, is_url, without_secrets


def is_remote(out: str | os.PathLike[str]) -> bool:
    """Whether an output is a URL rather than a folder."""
    return is_url(os.fspath(out))


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
        OutputError: the URL cannot be written.
    """
    files, root = filesystem(url)
    url = without_secrets(url)
    with _output_errors(url):
        _check_replaceable(files, root, url, overwrite)
    with contextlib.ExitStack() as stack:
        # The folder has the name of the output, which the dataset's card tells.
        folder = stack.enter_context(staging(Path(tempfile.gettempdir()) / "pairgen-upload")) / UrlFile(url).name
        dataset = write(folder)
        with _output_errors(url):
            _upload(folder, files, root, progress)
        atexit.register(stack.pop_all().close)
    return dataset


def _check_replaceable(files: Any, root: str, url: str, overwrite: bool) -> None:
    files.invalidate_cache()
    found = files.find(root)
    if not found:
        return
    if not files.exists(f"{root}/{MANIFEST}"):
        raise OutputExists(f"{url}: contains files that pairgen did not write; choose another --out")
    if not overwrite:
        raise OutputExists(f"{url}: already exists; replace it with --overwrite, or choose another --out")


def _upload(folder: Path, files: Any, root: str, progress: Progress) -> None:
    """Upload the files of a folder, and remove those of the dataset that was there; all of them, if that fails."""
    names = [str(file.relative_to(folder)) for file in sorted(folder.rglob("*")) if file.is_file()]
    names.sort(key=lambda name: name == MANIFEST)
    total = sum((folder / name).stat().st_size for name in names)
    before = files.find(root)
    if before:
        files.rm(f"{root}/{MANIFEST}")
        files.rm([path for path in before if not path.endswith(f"/{MANIFEST}")])
    done = 0
    progress(BuildPhase.UPLOADING, 0, total)
    try:
        for name in names:
            place = f"{root}/{name}"
            files.makedirs(place.rpartition("/")[0], exist_ok=True)
            files.put_file(str(folder / name), place)
            done += (folder / name).stat().st_size
            progress(BuildPhase.UPLOADING, done, total)
    except BaseException:
        with contextlib.suppress(Exception):
            files.rm(root, recursive=True)
        raise


@contextlib.contextmanager
def _output_errors(url: str) -> Iterator[None]:
    """Raise an OutputError in place of the errors of fsspec and the packages behind it."""
    try:
        yield
    except OutputError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or in_short(error, 200)
        raise OutputError(f"{url}: cannot be written ({reason}); no incomplete output was left behind") from error
