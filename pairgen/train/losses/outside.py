"""Losses from outside the package: a function of your own, given as such or as ``MODULE:FUNCTION``.

    # my_losses.py, in the current folder or installed
    def softer(logps, config):
        return (1 - config.beta * logps.margin).relu() ** 2

    pairgen train pairs --loss my_losses:softer --out run

A function may use every option of ``Config``; it always gets reference log-probs. To declare what it needs, put a
``Loss`` in the module instead. Naming a module runs its code, so a name that comes from a file (--config, a run that is
resumed) must be confirmed on the command line. ``laws.py`` checks a loss before a run starts.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pairgen.errors import UsageError
from pairgen.train.losses import LOSSES, Loss

PATTERN = r"[^:\s]+:[^:\s]+"
"""Regular expression of ``MODULE:FUNCTION``."""


def is_outside(name: str) -> bool:
    """Whether a loss is named as ``MODULE:FUNCTION``."""
    return ":" in name


def register(loss: Any) -> Any:
    """Add a loss from outside to ``LOSSES``.

    Args:
        loss: a name in ``LOSSES``; ``MODULE:FUNCTION``, which is imported; a function or a ``Loss``.

    Returns:
        Its name in ``LOSSES``; any other value as it is.

    Raises:
        UsageError: the module cannot be imported, or has no such function.
    """
    if isinstance(loss, str):
        if is_outside(loss) and loss not in LOSSES and re.fullmatch(PATTERN, loss):
            LOSSES[loss] = _entry(_imported(loss))
        return loss
    if not callable(loss) and not isinstance(loss, Loss):
        return loss
    entry = _entry(loss)
    name = f"{getattr(entry.function, '__module__', '')}:{getattr(entry.function, '__qualname__', '')}"
    if not all(name.partition(":")):
        raise UsageError(f"--loss {loss!r} has no name under which a run could be resumed; define it with `def`")
    LOSSES[name] = entry
    return name


def check_confirmed(loss: Any, given: Any, where: str) -> None:
    """Raise UsageError if a file names a loss that would run other code, unless the user named the same one."""
    if isinstance(loss, str) and is_outside(loss) and loss not in LOSSES and given != loss:
        raise UsageError(f"{where}: its loss {loss} is Python code outside pairgen; confirm it with --loss {loss}")


def code_files(loss: str) -> list[Path]:
    """The files of the module of ``MODULE:FUNCTION`` and of the packages that it is in; none if it is not found.

    Nothing is imported, so no code is run.
    """
    importlib.invalidate_caches()  # a file may be new
    files, folders, name = [], None, ""
    with _current_folder():
        for part in loss.partition(":")[0].split("."):
            name = f"{name}.{part}" if name else part
            spec = importlib.machinery.PathFinder.find_spec(name, folders)
            if spec is None:
                break
            if spec.origin and Path(spec.origin).is_file():
                files.append(Path(spec.origin))
            folders = list(spec.submodule_search_locations or ())
    return files


def _entry(loss: Any) -> Loss:
    if isinstance(loss, Loss):
        return loss
    lines = (inspect.getdoc(loss) or "").splitlines()
    return Loss(loss, lines[0].strip().rstrip(".") if lines else "a loss from outside pairgen")


def _imported(name: str) -> Any:
    """The function or ``Loss`` of that name. Raises UsageError."""
    module_name, _, attribute = name.partition(":")
    try:
        with _current_folder():
            found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise UsageError(
                f"--loss {name}: there is no module {error.name}; install it, or run in the folder of {error.name}.py"
            ) from error
        raise UsageError(f"--loss {name}: importing {module_name} failed: {error}") from error
    except Exception as error:
        raise UsageError(f"--loss {name}: importing {module_name} failed: {type(error).__name__}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            functions = [key for key, value in vars(found).items() if inspect.isfunction(value)]
            known = f"; its functions are {', '.join(functions)}" if functions else ""
            raise UsageError(f"--loss {name}: {module_name} has no {attribute}{known}")
        found = getattr(found, part)
    if not callable(found) and not isinstance(found, Loss):
        raise UsageError(f"--loss {name}: is {type(found).__name__}, not a function")
    return found


@contextmanager
def _current_folder() -> Iterator[None]:
    """Find modules in the current folder, too; after all others, so that none of them is replaced."""
    folder = str(Path.cwd())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
