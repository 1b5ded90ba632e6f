"""Pairs whose prompt overlaps with the questions of an evaluation set: found, shown, and left out on request."""

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pairgen.exchange.curation.curation_options import MATCHES, Form, OverlapOptions
from pairgen.exchange.curation.derive import Change, Keys, Rows, command_line, keys_of, read, write_derived
from pairgen.exchange.curation.evaluation_sets import EvaluationSet
from pairgen.exchange.curation.overlap import Index
from pairgen.options import arguments
from pairgen.pairs.dataset import PairDataset
from pairgen.progress import Progress, ignore

SEARCHING = "searching prompts"

MAX_EXAMPLES = 3
"""Examples of each form that a report shows."""


class Example(NamedTuple):
    """A prompt, and a question that it overlaps with."""

    form: str
    prompt: str
    question: str


@dataclass
class Contamination:
    """What was found: per split, pairs by their strictest form of overlap; and in all, distinct prompts and questions.

    ``pairs``, ``prompts`` and ``questions`` are keyed by names of ``MATCHES``.
    """

    against: str
    size: int
    """Questions of the evaluation set."""
    pairs: dict[str, Counter[str]] = field(default_factory=dict)
    prompts: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All pairs with an overlap."""
        return sum(sum(counts.values()) for counts in self.pairs.values())

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "against": self.against,
            "size": self.size,
            "total": self.total,
            "pairs": {split: {name: counts[name] for name in MATCHES} for split, counts in self.pairs.items()},
            "prompts": dict(self.prompts),
            "questions": dict(self.questions),
            "examples": [example._asdict() for example in self.examples],
        }


class _Search:
    """Finds overlaps batch by batch and keeps count."""

    def __init__(self, evaluation_set: EvaluationSet, options: OverlapOptions) -> None:
        self.found = Contamination(evaluation_set.name, len(evaluation_set.questions))
        self._questions = evaluation_set.questions
        self._index = Index(evaluation_set.questions, options.ngram)
        self._least = MATCHES[options.match]
        self._form_of_question = np.zeros(len(evaluation_set.questions), np.int8)
        self._prompts: dict[str, list[Keys]] = {name: [] for name in MATCHES}

    def forms(self, split: str, prompts: pa.Array) -> Any:
        """The form of overlap of each prompt, as numbers of ``Form``."""
        distinct = prompts.dictionary_encode()
        overlaps = self._index.find(distinct.dictionary)
        overlaps.form[overlaps.form < self._least] = Form.NONE
        forms = overlaps.form[distinct.indices.to_numpy()]
        counts = self.found.pairs.setdefault(split, Counter())
        for name, form in MATCHES.items():
            which = np.flatnonzero(overlaps.form == form)
            if len(which):
                counts[name] += int(np.count_nonzero(forms == form))
                self._prompts[name].append(keys_of(distinct.dictionary.take(which)))
                self._show(name, distinct.dictionary, which, overlaps.question)
        hit = overlaps.form > Form.NONE
        np.maximum.at(self._form_of_question, overlaps.question[hit], overlaps.form[hit])
        return forms

    def _show(self, name: str, prompts: pa.Array, which: Any, questions: Any) -> None:
        missing = MAX_EXAMPLES - sum(example.form == name for example in self.found.examples)
        for at in which[:missing].tolist():
            self.found.examples.append(Example(name, prompts[at].as_py(), self._questions[questions[at]]))

    def finish(self) -> Contamination:
        for name, form in MATCHES.items():
            keys = self._prompts[name]
            self.found.prompts[name] = len(np.unique(np.concatenate(keys))) if keys else 0
            self.found.questions[name] = int(np.count_nonzero(self._form_of_question == form))
        return self.found


def find_overlaps(
    dataset: PairDataset,
    evaluation_set: EvaluationSet,
    options: OverlapOptions = OverlapOptions(),
    *,
    progress: Progress = ignore,
) -> Contamination:
    """Count the pairs whose prompt overlaps with a question of an evaluation set.

    A prompt is searched in full, so the questions of few-shot examples count, too. Texts are compared by their words,
    lower-cased, without punctuation. Three forms of overlap are told apart, and each pair counts in the strictest:

    - question: all words of a question in a row. A question of fewer than ``options.ngram`` words has to be a whole
      line of the prompt, apart from a label such as ``Question:``.
    - ngram: ``options.ngram`` words of a question in a row.
    - masked: the same once each run of numbers, number words and the unknown ``x`` are replaced by a mark.

    Args:
        progress: called with pairs.

    Raises:
        InvalidDataset: a damaged file.
    """
    search = _Search(evaluation_set, options)
    for split, batch in read(dataset, SEARCHING, progress, ["prompt"]):
        search.forms(split, batch["prompt"])
    return search.finish()


def decontaminate(
    dataset: PairDataset,
    out: str | os.PathLike[str],
    evaluation_set: EvaluationSet,
    options: OverlapOptions = OverlapOptions(),
    *,
    overwrite: bool = False,
    progress: Progress = ignore,
) -> tuple[PairDataset, Contamination]:
    """Write the pairs whose prompt does not overlap with an evaluation set; see ``find_overlaps``.

    Pairs of a group share their prompt, so groups are left out whole.

    Raises:
        UsageError: no pair would be left to train on.
        InvalidDataset: a damaged file.
        OutputError: ``out`` already exists or cannot be written.
    """
    search = _Search(evaluation_set, options)
    column = ["--column", evaluation_set.column] if evaluation_set.column else []
    flags = ["--against", evaluation_set.name, *column, "--apply", *arguments(options)]
    line = command_line("decontaminate", [dataset], out, *flags)
    change = Change(line, details={"against": evaluation_set.name, "questions": len(evaluation_set.questions)})

    def rows() -> Rows:
        for split, batch in read(dataset, SEARCHING, progress):
            forms = search.forms(split, batch["prompt"])
            for form in MATCHES.values():
                change.remove(split, options.describe(form), int(np.count_nonzero(forms == form)))
            yield split, batch.filter(pa.array(forms == Form.NONE))

    return write_derived(out, [dataset], rows(), change, overwrite), search.finish()
