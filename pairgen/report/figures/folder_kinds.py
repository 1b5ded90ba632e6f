"""What a folder is: a dataset, a run or the report of a study."""

from pathlib import Path

from pairgen.errors import UsageError
from pairgen.pairs.dataset import MANIFEST
from pairgen.report.documents.saved import NUMBERS
from pairgen.run_folder import CONFIG, METRICS

DATASET, RUN, STUDY = "dataset", "run", "study"

_MARKS = {MANIFEST: DATASET, CONFIG: RUN, METRICS: RUN, NUMBERS: STUDY}
"""What a folder is, by a file that only this kind has."""


def kind_of(folder: Path) -> str:
    """``dataset``, ``run`` or ``study``. Raises UsageError for any other folder."""
    for file, kind in _MARKS.items():
        if (folder / file).is_file():
            return kind
    problem = "neither a dataset nor a run nor the report of a study" if folder.is_dir() else "no such folder"
    raise UsageError(f"{folder}: {problem}; pass a folder that `pairgen build`, `train` or `study` wrote")
