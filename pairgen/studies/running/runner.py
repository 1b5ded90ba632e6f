"""Runs a study: makes its datasets and starting models, tries the learning rates, trains every seed.

The rate of a variant is the one at which its run with the first seed tells chosen from rejected best on held-out pairs
(``Finished.preference_loss``). Thus no loss is handicapped by a rate that suits another. All variants see the same
pairs in the same order, which depends on the seed alone.
"""

import os
from dataclasses import replace
from pathlib import Path

from pairgen.errors import UsageError
from pairgen.progress import Progress, Warn, ignore
from pairgen.studies.running.plan import SCALES, TINY, Setting, Study, StudyOptions, Variant
from pairgen.studies.running.results import Results
from pairgen.studies.running.workers import Job, Workers
from pairgen.studies.running.workspace import Finished, Workspace


def setting_of(options: StudyOptions) -> Setting:
    """The options with the defaults of the scale filled in.

    Raises:
        UsageError: the scale has no default model, and none is given.
    """
    scale = SCALES[options.scale]
    scale = replace(
        scale,
        seeds=options.seeds or scale.seeds,
        learning_rates=tuple(sorted(options.learning_rate)) or scale.learning_rates,
        pairs=options.pairs or scale.pairs,
    )
    model = options.model or scale.model
    if not model:
        from pairgen.train.model.installed_model import installed_gguf

        model = installed_gguf()
    if model != TINY and scale.sft_steps:
        raise UsageError(
            f"--scale {options.scale} trains a tiny model of its own; use --scale real with --model {model}"
        )
    return Setting(
        scale_name=options.scale,
        scale=scale,
        model=str(Path(model).absolute()) if model != TINY and Path(model).exists() else model,
        source=options.source or scale.source,
        choices=options.choices or scale.choices,
        out=Path(options.out).absolute(),
        device=options.device,
        workers=options.workers or scale.workers or os.cpu_count() or 1,
        keep_models=options.keep_models,
    )


def run_study(study: Study, setting: Setting, progress: Progress = ignore, warn: Warn = ignore) -> Results:
    """Train whatever of a study is not trained yet.

    Args:
        progress: called with runs, under the phase ``RUNS``; with one worker, also with the phases of each run.

    Raises:
        PairgenError: as in builds and training.
    """
    workspace = Workspace(setting, progress, warn)
    variants = study.variants(setting)
    starting = list(dict.fromkeys(variant.start or variant.data for variant in variants)) or list(study.data)
    names = dict.fromkeys([*starting, *(variant.data for variant in variants)])
    datasets = {name: workspace.dataset(name, study.data[name]) for name in names}
    first, *others = setting.seeds
    rates = {variant.key: (0.0,) if variant.rate_of else setting.scale.learning_rates for variant in variants}
    total = sum(len(rates[variant.key]) + len(others) for variant in variants)
    with Workers(workspace, total) as workers:
        pairs = [(name, seed) for name in starting for seed in setting.seeds]
        models = workers.starts([(datasets[name], seed) for name, seed in pairs])
        starts = dict(zip(pairs, models, strict=True))

        def job(variant: Variant, seed: int, rate: float) -> Job:
            return Job(variant, datasets[variant.data], starts[variant.start or variant.data, seed], seed, rate)

        own = [variant for variant in variants if not variant.rate_of]
        found = workers.runs([job(variant, first, rate) for variant in own for rate in rates[variant.key]])
        tried = _by_variant(found)
        best = {key: min(runs, key=lambda run: run.preference_loss) for key, runs in tried.items()}
        further = [job(variant, seed, best[variant.key].learning_rate) for variant in own for seed in others]
        for variant in variants:
            if variant.rate_of:
                rate = best[variant.rate_data or variant.data, variant.rate_of].learning_rate
                further += [job(variant, seed, rate) for seed in setting.seeds]
        rest = _by_variant(workers.runs(further))
    chosen = {key: [run] for key, run in best.items()}
    runs = {variant.key: chosen.get(variant.key, []) + rest.get(variant.key, []) for variant in variants}
    return Results(setting, datasets, starts, variants, runs, tried)


def _by_variant(runs: list[Finished]) -> dict[tuple[str, str], list[Finished]]:
    found: dict[tuple[str, str], list[Finished]] = {}
    for run in runs:
        found.setdefault(run.variant.key, []).append(run)
    return found
