"""What has to be known before pairs are made: the rows, and the choices that depend on all of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from pairgen.builders import BUILDERS, Builder, prompts
from pairgen.builders.interface import CorruptionOptions
from pairgen.building import selection
from pairgen.building.convert import Recipe, find_questions, find_shots
from pairgen.building.engines.local import LocalEngine
from pairgen.building.engines.ray_data import RayEngine
from pairgen.building.manifest import license_of
from pairgen.building.options import BuildOptions, corruption_options
from pairgen.building.reading import Engine, Reader
from pairgen.building.selection import Keys
from pairgen.errors import UsageError
from pairgen.progress import BuildPhase, Progress, Warn, ignore
from pairgen.sources import formats
from pairgen.sources.columns import check_names, named, names_of, parse_columns
from pairgen.sources.formats import Columns
from pairgen.sources.locate import resolve
from pairgen.sources.origin import Source

SHOT_POOL = 1024
"""Few-shot examples that ``shots_per_row`` samples from."""
LARGE_OUTPUT = 1_000_000_000
"""Bytes of few-shot prompts from which a build warns of its size."""
BYTES_PER_WORKER = 8 << 20
"""A smaller source is not worth another process."""


@dataclass(frozen=True)
class Plan:
    """A build before any row is read but the first ones, by which wrong files are refused."""

    builder: Builder
    options: BuildOptions
    style: prompts.PromptStyle
    sources: dict[str, Source]
    eval_size: int
    engine: Engine

    @classmethod
    def of(cls, builder: str | Builder, options: BuildOptions) -> "Plan":
        """Find builder, prompt style and sources. Raises UsageError and SourceError, see ``pipeline.build``."""
        builder = _find_builder(builder)
        if not builder.corrupts and (*corruption_options(options), options.on_unchecked) != (
            *CorruptionOptions(),
            None,
        ):
            raise UsageError(
                "--corruption, --error, --carry, --pairs-per-row, --false-steps and --on-unchecked do not apply to "
                f"{builder.name}: its rejected completions come from the source"
            )
        style = prompts.find(options.prompt_style or builder.style, builder.styles)
        every = builder.is_import or style.columns is None
        optional = (
            None if every else builder.optional | builder.unlisted | (style.columns or set()) | {options.id_column}
        )
        sources = _named_sources(
            builder, options, Columns(builder.columns, optional, None if builder.is_import else {})
        )
        license_of(builder, {split: source.provenance for split, source in sources.items()}, options)
        if builder.arrange:
            sources = {split: builder.arrange(source) for split, source in sources.items()}
        if builder.adapt:
            builder = builder.adapt(sources)
        eval_size = _eval_size(builder, options, sources)
        return cls(builder, options, style, sources, eval_size, _engine(options, sources))

    @property
    def template(self) -> str | None:
        """Text of the prompt template, if it is a file."""
        return self.style.text if isinstance(self.style, prompts.TemplateFile) else None

    def reader(self, warn: Warn = ignore) -> Reader:
        """Reads the rows of all splits, in batches whose pairs fit in memory."""
        block_bytes = formats.BLOCK_BYTES // (1 + self.options.shots)
        return Reader(self.sources, block_bytes, self.options.on_error == "skip", warn)

    def recipe(self, progress: Progress, warn: Warn) -> Recipe:
        """How rows become pairs. Reads all training rows if questions are held out or few-shot examples chosen."""
        recipe = Recipe(
            self.builder,
            self.options.seed,
            self.style,
            corruption_options(self.options),
            id_column=self.options.id_column,
            keeps_unchecked=(self.options.on_unchecked or self.builder.on_unchecked) == "keep",
        )
        reader = Reader(self.sources, formats.BLOCK_BYTES, self.options.on_error == "skip")
        return _FirstPass(reader, self.engine, progress, warn).choose(recipe, self.options, self.eval_size)


def _find_builder(builder: str | Builder) -> Builder:
    if isinstance(builder, Builder):
        return builder
    if builder not in BUILDERS:
        raise UsageError(f"unknown dataset {builder!r}; available: {', '.join(BUILDERS)}")
    return BUILDERS[builder]


def _named_sources(builder: Builder, options: BuildOptions, columns: Columns) -> dict[str, Source]:
    """The sources, whose rows have the columns that ``--columns`` names under the names that ``read`` knows."""
    if not options.columns:
        sources = resolve(options.source, builder.name, builder.hub, columns)
        return {split: replace(source, limit=options.limit) for split, source in sources.items()}
    given = parse_columns(options.columns)
    check_names(options.columns, given, builder.columns | builder.optional)
    columns = named(columns, given)
    expected = columns._replace(required=columns.required | set(given.values()))
    sources = resolve(options.source, builder.name, builder.hub, expected)
    if any(source.sample for source in sources.values()):
        raise UsageError("--columns is for rows of your own; those of the built-in sample have the columns they need")
    names = names_of(given, builder.optional)
    return {
        split: replace(source, columns=columns, limit=options.limit, names=names) for split, source in sources.items()
    }


def _eval_size(builder: Builder, options: BuildOptions, sources: dict[str, Source]) -> int:
    if options.eval_size is None:
        return 0 if options.source else builder.eval_size
    if options.eval_size and "train" not in sources:
        raise UsageError(
            "--eval-size holds out training rows, but there is no training source; add --source train=FILE"
        )
    if options.eval_size and "eval" in sources:
        raise UsageError("--eval-size holds out training rows, but there is an eval source; drop one of the two")
    return options.eval_size


def _engine(options: BuildOptions, sources: dict[str, Source]) -> Engine:
    if options.engine == "ray":
        return RayEngine(options.workers, options.address, options.ray_blocks)
    return LocalEngine(options.workers or fitting_workers(sources))


def fitting_workers(sources: dict[str, Source]) -> int:
    """As many workers as there are cores, or fewer for a small source."""
    size = sum(source.size for source in sources.values())
    return max(1, min(os.cpu_count() or 1, size // BYTES_PER_WORKER))


@dataclass(frozen=True)
class _FirstPass:
    """Reads all training rows to choose the questions to hold out and the few-shot examples."""

    reader: Reader
    engine: Engine
    progress: Progress
    warn: Warn

    def choose(self, recipe: Recipe, options: BuildOptions, eval_size: int) -> Recipe:
        """The recipe with these choices."""
        if not eval_size and not options.shots:
            return recipe
        if "train" not in self.reader.sources:
            raise UsageError("--shots are training rows, but there is no training source; add --source train=FILE")
        reader = replace(self.reader, sources={"train": self.reader.sources["train"]})
        keys = list(reader.map(BuildPhase.READING, partial(find_questions, recipe), self.engine, self.progress))
        if eval_size:
            held_out, rows = selection.held_out_questions(keys, eval_size, options.seed)
            if rows < eval_size:
                self.warn(f"held out {rows:,} rows instead of {eval_size:,}: questions are not divided between splits")
            recipe = replace(recipe, held_out=held_out)
        if options.shots:
            shots = self._shots(recipe, options, reader, keys)
            self._warn_of_size(sum(map(len, keys)), options.shots, shots)
            recipe = replace(recipe, shots=shots, shot_count=options.shots, shots_per_row=options.shots_per_row)
        return recipe

    def _warn_of_size(self, rows: int, count: int, shots: Sequence[prompts.Shot]) -> None:
        length = sum(len(shot.text) for shot in shots) // len(shots)
        if (size := rows * count * length) > LARGE_OUTPUT:
            self.warn(
                f"the prompts of {rows:,} rows will take {size / 1e9:.1f} GB or more: {count:,} few-shot examples of "
                f"{length:,} characters each"
            )

    def _shots(
        self, recipe: Recipe, options: BuildOptions, reader: Reader, keys: Sequence[Keys]
    ) -> tuple[prompts.Shot, ...]:
        count = max(SHOT_POOL if options.shots_per_row else 0, options.shots + 1)
        questions = selection.few_shot_questions(keys, recipe.held_out, count, options.seed)
        if len(questions) <= options.shots:
            raise UsageError(f"--shots {options.shots}: the training source has only {len(questions)} questions")
        chosen = frozenset(questions)
        shots: dict[int, prompts.Shot] = {}
        for found in reader.map(BuildPhase.READING, partial(find_shots, recipe, chosen), self.engine, ignore):
            for shot in found:
                shots.setdefault(shot.question, shot)
            if len(shots) == len(chosen):
                break
        return tuple(shots[question] for question in questions)
