"""``push``: a dataset as Parquet, or the model of a training run, to the Hugging Face Hub in one commit."""

import fnmatch
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from pairgen import hub_client
from pairgen.errors import InvalidDataset, OutputError, PairgenError, RunFolderError, UsageError, in_short
from pairgen.exchange.card_update import README, update_card
from pairgen.exchange.croissant import CROISSANT, render
from pairgen.pairs import card
from pairgen.pairs.dataset import MANIFEST, Split, open_pairs
from pairgen.pairs.writing import json_text
from pairgen.progress import Progress, ignore
from pairgen.run_folder import CONFIG, FINAL

PARQUET_FILES = "data/{split}-*.parquet"
"""Where the files of a split are in a repository."""

_REPLACED = {
    "dataset": ("data/*.parquet",),
    "model": ("*.safetensors", "*.safetensors.index.json", "adapter_config.json"),
}
"""Files of an earlier push, by kind of repository, which would be read along with the new ones."""


class Upload(NamedTuple):
    """What is pushed: the kind of repository (``dataset`` or ``model``), and the files by their path in it."""

    kind: str
    files: dict[str, Path]

    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {name: file.stat().st_size for name, file in self.files.items()}


class Pushed(NamedTuple):
    """Where something was pushed to, and the bytes of each file."""

    url: str
    sizes: dict[str, int]


def push(folder: str | os.PathLike[str], repo: str, *, private: bool = False, progress: Progress = ignore) -> Pushed:
    """Push a dataset, or the final model of a training run, to the Hub. The token is that of ``hf auth login``.

    A dataset becomes Parquet files, one per shard, with its card, its manifest, and ``croissant.json`` if it has one.
    The repository is created if needed. Everything arrives in one commit, which also removes data files of an earlier
    push.

    Args:
        folder: what ``pairgen build`` or ``pairgen train`` wrote.
        repo: ``owner/name``, or ``name`` for a repository of one's own.
        private: create a private repository; an existing one must be private.
        progress: called with pairs converted, then with bytes uploaded.

    Raises:
        UsageError: an invalid name of a repository.
        InvalidDataset: the folder is neither a dataset nor a run, or is damaged.
        RunFolderError: the run has no final model yet.
        OutputError: no token or connection, or the Hub refuses; nothing was pushed.
    """
    kind_of(folder)
    check_access(repo)
    with prepared(folder, repo, progress) as upload, _hub_errors(repo):
        return Pushed(_commit(upload, repo, private, progress), upload.sizes())


def check_access(repo: str) -> None:
    """Raise OutputError unless there is a token that can write and a connection, UsageError for an invalid name."""
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub import utils as client_utils

    utils: Any = client_utils
    try:
        utils.validate_repo_id(repo)
    except utils.HFValidationError:
        raise UsageError(f"{repo}: not a name of a repository on the Hub; expected owner/name") from None
    if not get_token():
        raise OutputError(f"{repo}: cannot push without a token; log in with `hf auth login`, or set HF_TOKEN")
    if constants.HF_HUB_OFFLINE:
        raise OutputError(f"{repo}: cannot push while HF_HUB_OFFLINE is set; unset it")
    if not hub_client.is_reachable(constants.ENDPOINT):
        raise OutputError(f"{repo}: the Hub ({constants.ENDPOINT}) does not answer; check your connection")
    with _hub_errors(repo):
        user: dict[str, Any] = HfApi().whoami()
    if user.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise OutputError(f"{repo}: your token can only read; log in with one that can write (`hf auth login`)")


# ---------------------------------------------------------------- files


def kind_of(folder: str | os.PathLike[str]) -> str:
    """``dataset`` or ``model``, by what is in a folder. Raises InvalidDataset if it is neither."""
    path = Path(folder)
    if (path / MANIFEST).is_file():
        return "dataset"
    if (path / CONFIG).is_file():
        return "model"
    problem = "neither a dataset nor a training run" if path.is_dir() else "no such folder"
    raise InvalidDataset(f"{path}: {problem}; pass a folder that `pairgen build` or `pairgen train` wrote")


@contextmanager
def prepared(folder: str | os.PathLike[str], repo: str, progress: Progress = ignore) -> Iterator[Upload]:
    """What ``push`` would upload to ``repo``. Files that do not exist yet are written to a temporary folder.

    Raises:
        InvalidDataset, RunFolderError: see ``push``.
        OutputError: the card cannot be updated.
    """
    path = Path(folder)
    if kind_of(path) == "model":
        yield Upload("model", _model_files(path))
        return
    with tempfile.TemporaryDirectory(prefix="pairgen-") as temporary:
        yield Upload("dataset", _dataset_files(path, Path(temporary), repo, progress))


def _model_files(run: Path) -> dict[str, Path]:
    final = run / FINAL
    files = {str(file.relative_to(final)): file for file in sorted(final.rglob("*")) if file.is_file()}
    if not files:
        raise RunFolderError(f"{run}: has no final model yet; finish the run with `pairgen train --resume`")
    return files


def _dataset_files(folder: Path, out: Path, repo: str, progress: Progress) -> dict[str, Path]:
    dataset = open_pairs(folder)
    update = update_card(dataset, files=PARQUET_FILES)
    readme = update.new.replace(card.PLACE, repo) if "/" in repo else update.new
    texts = {README: readme, MANIFEST: json_text(update.manifest)}
    if (folder / CROISSANT).exists():
        texts[CROISSANT] = render(update.manifest, PARQUET_FILES)
    files = {name: out / name for name in texts}
    for name, text in texts.items():
        files[name].write_text(text, "utf-8")
    (out / "data").mkdir()
    done = 0
    for split in filter(len, dataset.splits.values()):
        for number, shard in enumerate(split.shards):
            name = f"data/{split.name}-{number:05}-of-{len(split.shards):05}.parquet"
            files[name] = out / name
            table = Split(split.name, (shard,), 0).table()
            pq.write_table(table, files[name], compression="zstd")
            done += table.num_rows
            progress("converting to Parquet", done, len(dataset))
    return files


# ---------------------------------------------------------------- the Hub


def _commit(upload: Upload, repo: str, private: bool, progress: Progress) -> str:
    """Upload all files in one commit. Returns the address of the repository."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi()
    url = api.create_repo(repo, repo_type=upload.kind, private=private or None, exist_ok=True)
    found: Any = api.repo_info(url.repo_id, repo_type=upload.kind)
    if private and not found.private:
        raise OutputError(f"{repo}: is public; make it private on the Hub first, or push to another repository")
    additions = [CommitOperationAdd(name, file) for name, file in upload.files.items()]
    done, total = 0, sum(upload.sizes().values())
    for addition in additions:
        api.preupload_lfs_files(url.repo_id, [addition], repo_type=upload.kind, free_memory=False)
        done += upload.files[addition.path_in_repo].stat().st_size
        progress("uploading", done, total)
    replaced = [file.rfilename for file in found.siblings or () if _is_replaced(file.rfilename, upload)]
    deletions = [CommitOperationDelete(name) for name in replaced]
    api.create_commit(
        url.repo_id,
        [*additions, *deletions],
        commit_message=f"Upload {upload.kind} with pairgen",
        repo_type=upload.kind,
    )
    return str(url)


def _is_replaced(name: str, upload: Upload) -> bool:
    """Whether a file of the repository belongs to an earlier push and is not part of this one."""
    return name not in upload.files and any(
        fnmatch.fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in _REPLACED[upload.kind]
    )


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """Raise one OutputError, which never contains the token, in place of the client's errors. Hides its bars."""
    from huggingface_hub import utils as client_utils

    settings: Any = client_utils
    were_hidden = settings.are_progress_bars_disabled()
    settings.disable_progress_bars()
    try:
        yield
    except PairgenError:
        raise
    except Exception as error:  # the client raises a dozen types, from ValueError to those of its HTTP library
        raise OutputError(f"{repo}: {_without_token(_problem(error))}; nothing was pushed") from error
    finally:
        if not were_hidden:
            settings.enable_progress_bars()


def _problem(error: BaseException | None) -> str:
    """What went wrong and what to do, from the innermost error that has the answer of the Hub."""
    last = str(error)
    while error is not None:
        response = getattr(error, "response", None)
        if response is not None:
            status = int(response.status_code)
            said = getattr(error, "server_message", None) or response.reason_phrase
            return (
                _ANSWERS.get(status)
                or f"the Hub answered {status} ({in_short(said, 200).rstrip('. ')}); try again later"
            )
        last, error = f"{type(error).__name__}: {error}", error.__cause__
    return f"the upload failed ({in_short(last, 200).rstrip('. ')}); try again"


_ANSWERS = {
    401: "the Hub does not accept your token; log in again with `hf auth login`, or set HF_TOKEN",
    403: "your token may not write there; use one that can, or push to a repository of your own",
    404: "no such owner or repository on the Hub, or your token may not see it; check the name",
}
"""What to do, by status."""


def _without_token(text: str) -> str:
    from huggingface_hub import get_token

    token = get_token()
    return text.replace(token, "***") if token else text
