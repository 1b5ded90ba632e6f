"""The page about folders: which kind each of them is, and what is drawn."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pairgen.errors import count
from pairgen.pairs.dataset import open_pairs
from pairgen.report.documents.bundle import undrawn
from pairgen.report.figures.dataset_figures import DATASET_FIGURES
from pairgen.report.figures.folder_kinds import DATASET, RUN, STUDY, kind_of
from pairgen.report.figures.run_figures import RUN_FIGURES
from pairgen.report.pages.dataset_page import Audit, dataset_part
from pairgen.report.pages.html.frame import Part, document
from pairgen.report.pages.illustrations import illustrations
from pairgen.report.pages.run_page import run_part
from pairgen.report.pages.study_page import study_part
from pairgen.run_folder import open_run


@dataclass(frozen=True)
class PageOptions:
    """What to show."""

    title: str | None = None
    """Title of the page; None for one made of what it is about."""
    sample: int = 300
    """Most pairs shown of each dataset."""
    pairs: int = 6
    """Most pairs of the runs that are shown token by token."""


def page(folders: Sequence[Path], options: PageOptions, audit: Audit, command: str = "") -> str:
    """The page about datasets, runs and studies as HTML. Runs are shown together, where the first of them is.

    Args:
        audit: see ``dataset_page``.
        command: the command that makes it, to be shown.

    Raises:
        UsageError: a folder is none of the three.
        PairgenError: a damaged dataset, run or study.
    """
    parts: list[Part] = []
    for at, folder in enumerate(folders):
        kind = kind_of(folder)
        if kind == DATASET:
            dataset = open_pairs(folder)
            figures = illustrations(DATASET_FIGURES, dataset, f"f{at}")
            parts.append(dataset_part(dataset, options.sample, audit, figures))
        elif kind == RUN and not any(part.kind.startswith("run") for part in parts):
            runs = [open_run(path) for path in folders if kind_of(path) == RUN]
            parts.append(run_part(runs, options.pairs, illustrations(RUN_FIGURES, runs, f"f{at}")))
        elif kind == STUDY:
            parts.append(study_part(folder, f"f{at}"))
    return document(options.title or _title(folders, parts), parts, command, undrawn())


def _title(folders: Sequence[Path], parts: Sequence[Part]) -> str:
    """The title of the only part, or what the folders are: ``Report on 2 datasets and 1 run``."""
    if len(parts) == 1:
        return parts[0].title
    kinds = Counter(map(kind_of, folders))
    names = [count(number, kind).replace("studys", "studies") for kind, number in kinds.items()]
    return f"Report on {', '.join(names[:-1])}{' and ' if names[:-1] else ''}{names[-1]}"
