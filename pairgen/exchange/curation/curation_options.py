"""Options of the commands that derive datasets; a leaf, so that the command line starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from pairgen.errors import UsageError
from pairgen.options import check, option


@dataclass(frozen=True)
class MixOptions:
    """In which proportions, and how many pairs."""

    weights: tuple[float, ...] = option(
        (),
        "Share of each dataset in the pairs of train, such as 0.7,0.3. Default: all pairs of every dataset.",
        metavar="W,W",
    )
    pairs: int | None = option(
        None,
        "Pairs of train. Default: as many as the smallest dataset allows for these weights.",
        at_least=1,
        metavar="N",
    )
    seed: int = option(0, "Random seed of the selection and of the order.")

    def __post_init__(self) -> None:
        check(self)
        if any(not 0 < weight < float("inf") for weight in self.weights):
            raise UsageError(f"--weights {self}: each weight must be above 0")
        if self.pairs is not None and not self.weights:
            raise UsageError("--pairs needs --weights, which say how many of them come from each dataset")

    def __str__(self) -> str:
        return ",".join(f"{weight:g}" for weight in self.weights)

    def sizes(self, available: Sequence[int]) -> list[int]:
        """The most pairs to take from each dataset, of which this many are available. Raises UsageError."""
        if not self.weights:
            return list(available)
        if len(self.weights) != len(available):
            raise UsageError(f"--weights {self}: give one weight for each of the {len(available)} datasets")
        total = sum(self.weights)
        most = min(size * total / weight for size, weight in zip(available, self.weights, strict=True))
        if self.pairs is not None and self.pairs > most:
            raise UsageError(f"--pairs {self.pairs}: with these weights there are at most {int(most)}")
        wanted = most if self.pairs is None else self.pairs
        return [int(wanted * weight / total + 1e-9) for weight in self.weights]


@dataclass(frozen=True)
class DedupOptions:
    """Which pairs are duplicates."""

    threshold: float = option(
        0.8,
        "Least similarity of near-duplicate prompts: three-word sequences that both contain / that either contains.",
        above=0,
        at_most=1,
    )
    exact: bool = option(False, "Find exact duplicates only.")
    by: str = option(
        "answer",
        "What a question may have several of: answer (the groups of a prompt all stay) or question (only the first).",
        choices=("answer", "question"),
    )

    def __post_init__(self) -> None:
        check(self)


class Form(IntEnum):
    """How a text overlaps with a question, from the loosest form to the strictest."""

    NONE = 0
    MASKED = 1
    NGRAM = 2
    QUESTION = 3


MATCHES = {"question": Form.QUESTION, "ngram": Form.NGRAM, "masked": Form.MASKED}
"""The loosest form of overlap that counts, by name; each includes those before it."""


@dataclass(frozen=True)
class OverlapOptions:
    """What counts as overlap."""

    ngram: int = option(13, "Length of a word sequence that counts as overlap.", at_least=2, metavar="N")
    match: str = option(
        "masked",
        "Loosest overlap that counts: question (all words of a question), ngram (also N words in a row) or masked "
        "(also N words in a row once numbers are masked).",
        choices=MATCHES,
    )

    def __post_init__(self) -> None:
        check(self)

    def describe(self, form: Form) -> str:
        """A form of overlap in words."""
        return {
            Form.QUESTION: "contains a whole question",
            Form.NGRAM: f"shares {self.ngram} words in a row",
            Form.MASKED: f"shares {self.ngram} words in a row, numbers masked",
        }[form]
