"""Every error pairgen raises on purpose.

    PairgenError                 exit 1   one sentence: file, row, what was found, what was wanted
    |-- UsageError               exit 2   the call's words are off: an unknown name, options that exclude each other
    |-- SourceError              exit 1   rows could not be had or could not be read
    |   |-- SourceMissing                 no such file or folder, or the hub is out of reach
    |   |-- BrokenRow                     one row of a file cannot be parsed
    |   `-- WrongColumns                  a needed column is missing or has another type
    |-- OutputError              exit 1   the result could not be written
    |   `-- OutputExists                  the folder is there already
    |-- NotPairs                 exit 1   a folder is not a whole pairgen dataset
    |-- TrainingError            exit 1   a run cannot start or cannot go on
    |   |-- NoPairLeft                    every pair of a split was dropped
    |   |-- BadModel                      a model or tokenizer that cannot be trained on pairs
    |   |-- OutOfMemory                   the device's memory is full
    |   |-- NotFinite                     the loss is no number any more
    |   `-- RunMismatch                   a run folder that does not fit what is asked of it
    `-- ContractBroken           exit 3   `validate` found rows that break a promise

Anything else that escapes is a bug.
"""


class PairgenError(Exception):
    """Base of every expected failure; ``str()`` of it is the sentence a person reads."""

    exit_code = 1


class UsageError(PairgenError):
    """A name nobody knows, or options that cannot go together."""

    exit_code = 2


class SourceError(PairgenError):
    """Rows could not be had or could not be read."""


class SourceMissing(SourceError):
    """The file, folder or hub dataset is not there."""


class BrokenRow(SourceError):
    """A row that no parser accepts. ``where`` names file and line."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}; mend the row, or leave it out and count it with --on-error skip")
        self.where, self.problem = where, problem

    def __reduce__(self) -> tuple[type["BrokenRow"], tuple[str, str]]:  # crosses process borders
        return type(self), (self.where, self.problem)


class WrongColumns(SourceError):
    """A needed column is missing, or holds another type than the builder reads."""


class OutputError(PairgenError):
    """The result could not be written; nothing half-written is left."""


class OutputExists(OutputError):
    """The output folder is there already and ``overwrite`` was not given."""


class NotPairs(PairgenError):
    """A folder that is not a whole pairgen dataset."""


class ContractBroken(PairgenError):
    """Rows break a promise of the contract."""

    exit_code = 3


class TrainingError(PairgenError):
    """A run that cannot start or cannot go on; what was saved before stays."""


class NoPairLeft(TrainingError):
    """Every pair of a split was dropped on the way to tokens; says why."""


class BadModel(TrainingError):
    """A model or tokenizer that cannot be loaded, or cannot be trained on pairs."""


class OutOfMemory(TrainingError):
    """The device's memory is full; says which knobs help."""


class NotFinite(TrainingError):
    """The loss or a gradient is NaN or infinite; the pairs of the batch were saved."""


class RunMismatch(TrainingError):
    """A run folder that is damaged, unfinished, or of another config than asked for."""
