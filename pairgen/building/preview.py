"""What a build would make, from the first rows of each split."""

from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

from pairgen.builders import Builder
from pairgen.building.convert import convert
from pairgen.building.options import BuildOptions
from pairgen.building.planning import Plan
from pairgen.progress import Progress, Warn, ignore


class Preview(NamedTuple):
    """What the first rows of a split yield, and an estimate for all of them."""

    rows: int
    """Rows converted."""
    drops: Counter[str]
    """Those that yield no pair, by reason."""
    estimated_pairs: int
    estimated_bytes: int
    first: dict[str, Any] | None
    """The first pair, by column."""


def preview(
    builder: str | Builder, options: BuildOptions, *, progress: Progress = ignore, warn: Warn = ignore
) -> dict[str, Preview]:
    """Convert the first rows of each source, without writing anything. Raises what ``pipeline.build`` raises."""
    plan = Plan.of(builder, replace(options, engine="local", address=None, ray_blocks=0))
    recipe = plan.recipe(progress, warn)
    previews: dict[str, Preview] = {}
    for split, source in plan.sources.items():
        reader = replace(plan.reader(warn), sources={split: source})
        batch = next(reader.batches(), None)
        if batch is not None:
            rows, invalid = batch.rows()
            reader.report(split, invalid)
            share = source.size / max(batch.position, 1)
            if source.limit is not None:
                share = min(share, source.limit / (len(rows) + len(invalid)))
            share = max(1.0, share)
            for name, made in convert(recipe, split, rows).items():
                pairs = made.batch.num_rows if made.batch else 0
                size = made.batch.nbytes if made.batch else 0
                first = made.batch.slice(0, 1).to_pylist()[0] if made.batch else None
                drops = Counter(reason for _, reason in made.drops)
                previews[name] = Preview(made.rows, drops, round(pairs * share), round(size * share), first)
    return previews
