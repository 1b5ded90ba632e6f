"""The files that a recipe names: whether they exist, and what identifies their content."""

import glob
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairgen.builders.prompts import STYLES
from pairgen.content_key import folder_identity, identity
from pairgen.errors import SourceNotFound, UsageError
from pairgen.recipes.stage_kinds import TINY
from pairgen.sources.formats import FORMATS
from pairgen.sources.urls import is_url
from pairgen.train.losses.outside import code_files, is_outside

PREFIX = re.compile(r"[^=/]+=")
"""What may stand before a source: its split or its task."""


def source_identity(text: str) -> str:
    """A source with its split or task: files, also those that match a pattern, by content.

    Raises:
        SourceError: a file cannot be read.
    """
    before, where = _parts(text)
    path = Path(where).expanduser()
    if is_url(where):
        return text
    if not path.exists() and _is_pattern(where):
        return before + "; ".join(map(folder_identity, _matches(path)))
    return before + (folder_identity(str(path)) if path.exists() else where)


def option_identities(options: Mapping[str, Any]) -> list[str]:
    """The content of the files that options name: a template of prompts, the code of a loss from outside.

    Raises:
        SourceError: a file cannot be read.
    """
    style, loss = options.get("prompt_style"), options.get("loss")
    files = [Path(style)] if style and style not in STYLES else []
    if isinstance(loss, str) and is_outside(loss):
        files += code_files(loss)
    return [identity(str(file)) for file in files]


def check_source(text: str, where: str) -> None:
    """Raise SourceNotFound if a source is a path to nothing or a pattern of no file, UsageError if it is stdin."""
    path = _parts(text)[1]
    if path == "-":  # other rows would have the same name
        raise UsageError(f"{where}: a recipe reads its rows again, so they cannot come from stdin; give a file")
    if path == "sample" or path.startswith("sample:") or is_url(path) or Path(path).expanduser().exists():
        return
    if _is_pattern(path):
        if not _matches(Path(path).expanduser()):
            raise SourceNotFound(f"{where}: no file matches this pattern")
    elif path.count("/") != 1 or _is_path(path, (*FORMATS, ".gguf")):
        raise SourceNotFound(f"{where}: no such file or folder")


def check_model(text: str, where: str) -> None:
    """Raise SourceNotFound if a model is a path to nothing. A name without a slash may be a model of the Hub."""
    if text == TINY or is_url(text) or Path(text).expanduser().exists():
        return
    if text.count("/") > 1 or _is_path(text, (*FORMATS, ".gguf")):
        raise SourceNotFound(f"{where}: no such file or folder")


def _parts(text: str) -> tuple[str, str]:
    """The split or task of a source with its equals sign, and where the rows are."""
    found = None if Path(text).expanduser().exists() or is_url(text) else PREFIX.match(text)
    return (text[: found.end()], text[found.end() :]) if found else ("", text)


def _is_pattern(path: str) -> bool:
    return any(character in path for character in "*?[")


def _matches(path: Path) -> list[str]:
    return sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - as sources find them


def _is_path(text: str, endings: tuple[str, ...]) -> bool:
    return text.startswith((".", "/", "~")) or text.lower().endswith(endings)
