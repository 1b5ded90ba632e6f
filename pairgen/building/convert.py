"""Rows to pairs: pure functions of a batch of rows, which workers run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import xxhash

from pairgen.arithmetic.errors.rng import RowRng
from pairgen.builders import Builder
from pairgen.builders.interface import CorruptionOptions, Example
from pairgen.builders.prompts import PromptStyle, Shot, with_shots
from pairgen.building.reading import SourceRow
from pairgen.building.selection import Keys, id_keys, text_key
from pairgen.pairs.record import DropRow, Pair, Rejection, to_batch

ID_DIGITS = 20
"""Hexadecimal digits of an id: 80 bits, so that two of ten million rows collide with a probability of 4e-11."""


@dataclass(frozen=True)
class Recipe:
    """All that determines how rows are converted to pairs."""

    builder: Builder
    seed: int
    style: PromptStyle
    corruption: CorruptionOptions = field(default_factory=CorruptionOptions)
    held_out: frozenset[int] = frozenset()
    """Questions whose rows belong to the eval split."""
    shots: tuple[Shot, ...] = ()
    """Few-shot examples to choose from."""
    shot_count: int = 0
    shots_per_row: bool = False
    id_column: str = "id"
    """Column of the source that becomes ``row_id``."""
    keeps_unchecked: bool = True
    """Whether there are pairs of corruptions that could not be verified."""


@dataclass
class SplitPairs:
    """The pairs of one split that a batch of rows yielded, and its counts."""

    rows: int = 0
    drops: list[tuple[str, str]] = field(default_factory=list)
    """Where each row is that yielded no pair, and the reason."""
    rows_with_fewer_pairs: int = 0
    """Rows that yielded fewer pairs than requested."""
    repeated_pairs: int = 0
    """Pairs left out because their row has them twice, such as two equal wrong choices."""
    batch: pa.RecordBatch | None = None
    id_keys: Keys | None = None
    """64-bit keys of the pair ids."""

    @property
    def pairs(self) -> int:
        return self.batch.num_rows if self.batch is not None else 0


def convert(recipe: Recipe, source_split: str, rows: Sequence[SourceRow]) -> dict[str, SplitPairs]:
    """The pairs of rows, by split."""
    splits: dict[str, SplitPairs] = {}
    pairs: dict[str, list[Pair]] = {}
    for where, row in rows:
        split = source_split
        try:
            example = recipe.builder.read(row)
            question = text_key(example.question_group) if recipe.held_out or recipe.shots else 0
            split = "eval" if question in recipe.held_out else source_split
            row_id = _checked_row_id(example)
            rejections, repeated = _rejections(example, row_id, recipe)
            made = pairs_of(example, rejections, row_id, question, recipe, where)
            splits.setdefault(split, SplitPairs()).repeated_pairs += repeated
        except DropRow as drop:
            made = []
            splits.setdefault(split, SplitPairs()).drops.append((where, drop.reason))
        result = splits.setdefault(split, SplitPairs())
        result.rows += 1
        if made:
            result.rows_with_fewer_pairs += recipe.builder.corrupts and len(made) < recipe.corruption.pairs_per_row
            pairs.setdefault(split, []).extend(made)
    for split, of_split in pairs.items():
        splits[split].batch = to_batch(of_split)
        splits[split].id_keys = id_keys([pair.pair_id for pair in of_split])
    return splits


def row_id_of(key: str) -> str:
    """The digest that pair ids begin with and that seeds the row's random choices."""
    return xxhash.xxh3_128_hexdigest(key.encode())[:ID_DIGITS]


def _checked_row_id(example: Example) -> str:
    """The row id of an example. Raises DropRow if its texts cannot be encoded."""
    try:
        return row_id_of(example.key)
    except UnicodeEncodeError:
        raise DropRow("invalid Unicode") from None


def _rejections(example: Example, row_id: str, recipe: Recipe) -> tuple[list[Rejection], int]:
    """The rejected completions of one example, at least one, and how many equal ones were left out. Raises DropRow."""
    made = recipe.builder.reject(example, RowRng(row_id, recipe.seed), recipe.corruption)
    kept = [one for one in made if recipe.keeps_unchecked or one.provenance.check != "unchecked"]
    if not kept:
        raise DropRow(f"unchecked: {made[0].provenance.reason}")
    distinct: dict[str, Rejection] = {}
    for one in kept:
        distinct.setdefault(one.completion, one)
    return list(distinct.values()), len(kept) - len(distinct)


def pairs_of(
    example: Example,
    rejections: Sequence[Rejection],
    row_id: str,
    question: int,
    recipe: Recipe,
    where: str | None = None,
) -> list[Pair]:
    """All pairs of one example. Raises DropRow if its prompt is empty.

    ``pair_id`` is ``row_id``, the digest of the row's key, and the number of the pair in its row. ``group_id`` is a
    digest of prompt and chosen, so that pairs with the same texts share it wherever they come from.
    """
    is_prompt = recipe.builder.is_import
    prompt, separator = (example.question, "") if is_prompt else recipe.style.render(example.question, example.row)
    if not prompt:
        raise DropRow("prompt is empty")
    if recipe.shot_count:
        prompt = with_shots(prompt, question, _shots_for(question, row_id, recipe), recipe.shot_count)
    chosen = separator + example.answer
    messages = f"\0{example.messages}" if example.messages else ""
    group_id = xxhash.xxh3_128_hexdigest(f"{prompt}\0{chosen}{messages}".encode())[:ID_DIGITS]
    shift = len(separator)
    source_id = example.row.get(recipe.id_column)
    return [
        Pair(
            prompt,
            chosen,
            separator + rejection.completion,
            f"{row_id}-{index}",
            group_id,
            example.source,
            rejection.edit.start + shift,
            rejection.edit.chosen_stop + shift,
            rejection.edit.rejected_stop + shift,
            row=where,
            row_id=None if source_id is None else str(source_id),
            messages=example.messages,
            provenance=rejection.provenance.shifted(shift),
        )
        for index, rejection in enumerate(rejections)
    ]


def _shots_for(question: int, row_id: str, recipe: Recipe) -> Sequence[Shot]:
    """The few-shot examples of one row: the same for all, or sampled from the pool without its own question."""
    if not recipe.shots_per_row:
        return recipe.shots
    rng = RowRng(row_id, recipe.seed + 1)
    pool = [shot for shot in recipe.shots if shot.question != question]
    return [pool.pop(rng.below(len(pool))) for _ in range(min(recipe.shot_count, len(pool)))]


def find_questions(recipe: Recipe, source_split: str, rows: Sequence[SourceRow]) -> Keys:
    """The key of the question of each usable row, in order."""
    del source_split
    return np.array([text_key(example.question_group) for example in _examples(recipe, rows)], np.uint64)


def find_shots(recipe: Recipe, questions: frozenset[int], source_split: str, rows: Sequence[SourceRow]) -> list[Shot]:
    """A few-shot example for each of ``questions`` that occurs in the rows, from its first row."""
    del source_split
    found: dict[int, Shot] = {}
    for example in _examples(recipe, rows):
        question = text_key(example.question_group)
        if question in questions and question not in found:
            prompt, separator = recipe.style.render(example.question, example.row)
            found[question] = Shot(question, f"{prompt}{separator}{example.answer}")
    return list(found.values())


def _examples(recipe: Recipe, rows: Sequence[SourceRow]) -> Iterator[Example]:
    for _, row in rows:
        try:
            example = recipe.builder.read(row)
        except DropRow:
            continue
        yield example
