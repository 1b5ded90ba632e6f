"""The exceptions that pairgen raises for expected failures; any other exception that reaches the user is a bug.

PairgenError                 exit 1   one message: what happened, where (file, row), what to do
|-- UsageError               exit 2   invalid usage: an unknown name, a value out of range, conflicting options
|-- SourceError              exit 1   source rows are unavailable or unreadable
|   |-- SourceNotFound                no such file or folder, or the Hub is unreachable
|   |-- InvalidRow                    one row of a file cannot be parsed
|   `-- WrongColumns                  a required column is missing or has another type
|-- OutputError              exit 1   the result cannot be written
|   `-- OutputExists                  the output folder already exists
|-- InvalidDataset           exit 1   a folder that is not a complete pairgen dataset
|-- InvalidMarks             exit 1   a file of marks that cannot be read
|-- InvalidReport            exit 1   the folder of a study's report is damaged
|-- ValidationFailed         exit 3   `validate` or `audit` found rows that fail its check
`-- TrainingError            exit 1   a run cannot start or cannot continue
    |-- NoPairsLeft                   every pair of a split was dropped
    |-- UnsupportedModel              the model or tokenizer cannot be loaded or cannot be trained on pairs
    |-- OutOfMemory                   the device has no memory left
    |-- NonFiniteLoss                 the loss or a gradient is NaN or infinite
    `-- RunFolderError                a run folder is damaged, unfinished, or of another config
"""

import re


class PairgenError(Exception):
    """Base class of expected failures. ``str(error)`` is a complete message for the user."""

    exit_code = 1


class UsageError(PairgenError):
    """Invalid usage: an unknown name, a value out of range, or options that conflict."""

    exit_code = 2


def count(number: int, noun: str) -> str:
    """A number with its noun, for messages: ``1 pair``, ``2,000 pairs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_short(error: object, most: int = 300) -> str:
    """The first sentences of an error of another library, on one line of at most ``most`` characters.

    A sentence that is longer is cut at a word, with an ellipsis. Without a message it is the name of the error.

    >>> in_short("Cannot load it. It should be one of:\\n- a file", most=30)
    'Cannot load it.'
    """
    words = " ".join(str(error).split()) or type(error).__name__
    if len(words) <= most:
        return words
    ends = [match.end(1) for match in _SENTENCE_END.finditer(words) if match.end(1) <= most]
    return words[: ends[-1]] if ends else (words[: most - 1].rpartition(" ")[0] or words[: most - 2]) + " …"


_SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)([.!?])(?= [A-Z`'\"(]|$)")


def install_hint(extra: str) -> str:
    """How to install optional dependencies. The name ``pairgen`` on PyPI belongs to another project."""
    return f"in your checkout of pairgen, run: pip install '.[{extra}]'"


class SourceError(PairgenError):
    """Source rows are unavailable or unreadable."""


class SourceNotFound(SourceError):
    """The file, folder or Hub dataset does not exist or cannot be reached."""


class InvalidRow(SourceError):
    """A row that cannot be parsed.

    Args:
        where: file and line or row of it.
        problem: what is wrong with it.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}; fix the row, or skip it with --on-error skip")
        self.where, self.problem = where, problem


class WrongColumns(SourceError):
    """A required column is missing, or has a type that the builder does not read."""


class OutputError(PairgenError):
    """The result cannot be written. No partial output is left behind."""


class OutputExists(OutputError):
    """The output folder already exists, and overwriting was not allowed or is not safe."""


class InvalidDataset(PairgenError):
    """A folder that is not a complete pairgen dataset."""


class InvalidMarks(PairgenError):
    """A file of marks that cannot be read, or has a line that is no mark."""


class InvalidReport(PairgenError):
    """The folder of a study's report is damaged, or was written by another release."""


class ValidationFailed(PairgenError):
    """Rows of a dataset violate an invariant, or more solutions are false than allowed."""

    exit_code = 3


class TrainingError(PairgenError):
    """A run cannot start or cannot continue. Checkpoints saved before are kept."""


class NoPairsLeft(TrainingError):
    """Every pair of a split was dropped during tokenization; the message lists the reasons."""


class UnsupportedModel(TrainingError):
    """A model or tokenizer that cannot be loaded, or cannot be trained on pairs."""


class OutOfMemory(TrainingError):
    """The device has no memory left; the message lists options that reduce memory use."""


class NonFiniteLoss(TrainingError):
    """The loss or a gradient is NaN or infinite. The pairs of that batch were saved."""


class RunFolderError(TrainingError):
    """A run folder that is damaged, unfinished, or of another config than requested."""
