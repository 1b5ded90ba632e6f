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
