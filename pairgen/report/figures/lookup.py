"""The figures of folders: of a dataset, of training runs over one another, or of the report of a study."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pairgen.errors import UsageError
from pairgen.pairs.dataset import open_pairs
from pairgen.report.documents.content import Figure
from pairgen.report.documents.saved import read_report
from pairgen.report.figures.dataset_figures import DATASET_FIGURES
from pairgen.report.figures.entry import Plot, Subject
from pairgen.report.figures.folder_kinds import DATASET, RUN, kind_of
from pairgen.report.figures.run_figures import RUN_FIGURES
from pairgen.run_folder import open_run


class Offered(NamedTuple):
    """A figure that folders may have."""

    about: str
    figure: Callable[[], Figure | None]
    """None if they have nothing to show in it."""


def offered(folders: Sequence[Path]) -> dict[str, Offered]:
    """The figures of one dataset, of one or more runs, or of the report of one study, by name.

    Raises:
        UsageError: a folder is none of these, or they cannot be shown in one figure.
        InvalidDataset, RunFolderError, InvalidReport: a damaged folder.
    """
    if not folders:
        raise UsageError("no folder to draw; pass a dataset, runs, or the report of a study")
    kinds = [kind_of(folder) for folder in folders]
    if set(kinds) == {RUN}:
        return _offered(RUN_FIGURES, [open_run(folder) for folder in folders])
    if len(folders) > 1:
        folder, kind = next(item for item in zip(folders, kinds, strict=True) if item[1] != RUN)
        raise UsageError(f"{folder}: is a {kind}; only runs can be drawn over one another, so pass this folder alone")
    if kinds == [DATASET]:
        return _offered(DATASET_FIGURES, open_pairs(folders[0]))
    return {one.name: Offered(one.title, partial(_same, one)) for one in read_report(folders[0]).report.figures}


def split_words(words: Sequence[str]) -> tuple[list[Path], str | None]:
    """Folders, and the name of a figure or None.

    The name is the last of several words, if it is in a table of figures, or if there is no folder of this name.
    """
    *others, last = words
    is_name = bool(others) and (last in {*DATASET_FIGURES, *RUN_FIGURES} or not Path(last).is_dir())
    return [Path(word) for word in (others if is_name else words)], last if is_name else None


def _offered(table: Mapping[str, Plot[Subject]], subject: Subject) -> dict[str, Offered]:
    return {name: Offered(plot.about, partial(plot.figure, subject)) for name, plot in table.items()}


def _same(figure: Figure) -> Figure:
    return figure


def figure(folders: Sequence[Path], name: str) -> Figure:
    """One figure of folders; see ``offered``.

    Raises:
        UsageError: an unknown name, or the folders have nothing to show in this figure.
    """
    found = offered(folders)
    if name not in found:
        close = difflib.get_close_matches(name, found)
        hint = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise UsageError(f"{name}: unknown figure{hint}; figures for {folders[0]}: {', '.join(found)}")
    made = found[name].figure()
    if made is None:
        others = ", ".join(listed(folders)) or "none"
        raise UsageError(f"{folders[0]}: has nothing to show in {name} ({found[name].about}); it has: {others}")
    return made


def listed(folders: Sequence[Path]) -> dict[str, str]:
    """What each figure shows that folders have something to show in, by name; see ``offered``."""
    return {name: item.about for name, item in offered(folders).items() if item.figure() is not None}
