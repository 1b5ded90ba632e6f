"""From a recipe and the options of a run to its stages in order, each in a folder named by all that it depends on."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pairgen.content_key import digest, folder_identity
from pairgen.errors import UsageError
from pairgen.evaluate.tasks import TASKS, ours
from pairgen.recipes.named_files import check_model, check_source, option_identities, source_identity
from pairgen.recipes.options import RecipeOptions
from pairgen.recipes.recipe_file import START, Layer, Recipe, find
from pairgen.recipes.stage_kinds import BUILD, DATA, EVAL, KINDS, MIX, SOURCED, TINY, TRAIN, Stage

FOLDER = "stages"
"""Folder of the stages. Each has the name of its stage, in a folder named by all that it depends on."""


@dataclass(frozen=True)
class Arrangement:
    """The stages of one run of a recipe."""

    recipe: Recipe
    variant: Layer
    scale: Layer
    out: Path
    stages: Sequence[Stage]
    """In an order in which each comes after what it depends on."""
    left_out: Sequence[str]
    """What is not done, and why, as sentences."""

    @property
    def title(self) -> str:
        """Recipe, variant and scale."""
        parts = [self.recipe.title, self.variant.name, f"{self.scale.name} scale" if self.scale.name else ""]
        return ", ".join(part for part in parts if part)


def arrange(name: str, options: RecipeOptions) -> Arrangement:
    """The stages of a recipe.

    Raises:
        UsageError: the recipe is not valid (``recipe_file.find``), stages need one another in a circle, or there is no
            such variant, scale, stage or task.
        SourceNotFound: a file that is named does not exist.
    """
    recipe = find(name)
    variant = _layer(recipe, recipe.variants, options.variant, "variant")
    scale = _layer(recipe, recipe.scales, options.scale, "scale")
    words = [recipe.name, variant.name, scale.name]
    out = Path(options.out or "-".join(word for word in words if word))
    return _Arranger(recipe, variant, scale, options, out).arrangement()


def _layer(recipe: Recipe, layers: Mapping[str, Layer], name: str, what: str) -> Layer:
    if name and name not in layers:
        known = ", ".join(filter(None, layers)) or "none"
        raise UsageError(f"--{what} {name}: {recipe.name} has no such {what}; available: {known}")
    return layers[name or next(iter(layers))]


@dataclass
class _Arranger:
    """Finds the stages that are needed, each after what it depends on."""

    recipe: Recipe
    variant: Layer
    scale: Layer
    given: RecipeOptions
    out: Path
    keys: dict[str, str] = field(default_factory=dict)
    """By the folder of a stage, a hash of all that it depends on."""
    found: dict[str, Stage | None] = field(default_factory=dict)
    """By name; None for stages that are left out."""
    ordered: list[Stage] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)

    def arrangement(self) -> Arrangement:
        self._check_sources()
        for name in self.variant.run:
            self._stage(name)
        trained = [stage for stage in self.ordered if stage.kind == TRAIN]
        data = [stage for stage in self.ordered if stage.kind != TRAIN]
        if not trained:
            reasons = f": {self.left_out[0]}" if self.left_out else ""
            raise UsageError(f"run {self.recipe.name}: there is nothing to train{reasons}")
        evaluated = self._evaluated(trained)
        return Arrangement(self.recipe, self.variant, self.scale, self.out, [*data, *evaluated], self.left_out)

    @property
    def layers(self) -> tuple[Layer, Layer]:
        return self.variant, self.scale

    # ------------------------------------------------------------ stages

    def _stage(self, name: str) -> Stage | None:
        """A stage, after those that it needs; None if it is left out."""
        if name in self.pending:
            circle = [*self.pending[self.pending.index(name) :], name]
            where = f"{self.recipe.file}: stages.{circle[-2]}"
            raise UsageError(f"{where}: stages need one another in a circle: {' -> '.join(circle)}")
        if name not in self.found:
            self.pending.append(name)
            self.found[name] = self._new(name)
            self.pending.pop()
        return self.found[name]

    def _new(self, name: str) -> Stage | None:
        kind, options = self.recipe.kind(name), self.recipe.options(name, self.layers)
        if kind in SOURCED:
            return self._sourced(name, kind, options)
        names = options.pop("data", [])
        data = list(dict.fromkeys(stage for one in names if (stage := self._stage(one))))
        if not data:
            problem = "none of its datasets has rows" if names else "missing; name the data stages that it uses"
            if not names:
                raise UsageError(f"{self.recipe.file}: stages.{name}.data: {problem}")
            self.left_out.append(f"{name}: {problem}.")
            return None
        if kind == MIX:
            return data[0] if len(data) == 1 else self._add(name, kind, options, data)
        model, after = self._model(name, options.pop("model", ""))
        device = {} if self.given.device == "auto" else {"device": self.given.device}
        return self._add(name, kind, options | device, data, model, after)

    def _add(
        self,
        name: str,
        kind: str,
        options: Mapping[str, Any],
        data: Sequence[Stage] = (),
        model: str = "",
        after: str = "",
    ) -> Stage:
        told = {key: value for key, value in options.items() if key not in KINDS[kind].unimportant}
        sources = [source_identity(text) for text in told.pop("source", ())]
        files = option_identities(told)
        known = self.keys[model] if after else folder_identity(model)
        tasks = [
            self.keys.get(task) or (folder_identity(task) if Path(task).is_dir() else task)
            for task in told.pop("tasks", ())
        ]
        key = digest(kind, told, sources, [self.keys[str(stage.folder)] for stage in data], known, tasks, *files)
        folder = self.out / FOLDER / key / name
        self.keys[str(folder)] = key
        stage = Stage(name, kind, options, folder, tuple(one.folder for one in data), model, after)
        try:
            stage.command()  # options that conflict are found now, not after hours
        except UsageError as error:
            where = EVAL if kind == EVAL else f"stages.{name}"
            raise UsageError(f"{self.recipe.file}: {where}: {error}") from None
        self.ordered.append(stage)
        return stage

    # ------------------------------------------------------------ rows

    def _sourced(self, name: str, kind: str, options: dict[str, Any]) -> Stage | None:
        where = f"{self.recipe.file}: stages.{name}"
        if kind == BUILD and "dataset" not in options:
            raise UsageError(f"{where}.dataset: missing; name the dataset to build, as in dataset = 'metamath'")
        source = self.given.sources().get(name, ())
        origin = f"--source {name}=" if source else f"{where}.source: "
        if not source and not self.scale.hub:
            scale = self.scale.by_stage.get(name, {})
            source = tuple(scale.get("source", ()))
            if not source:
                self.left_out.append(f"{name}: no rows were given (--source {name}=FILE).")
                return None
        source = tuple(source or options.get("source", ()))
        if not source and kind != BUILD:
            raise UsageError(f"{where}.source: missing; name the rows to {kind}, or give --source {name}=FILE")
        for text in source:
            check_source(text, f"{origin}{text}")
        return self._add(name, kind, {**options, **({"source": source} if source else {})})

    def _check_sources(self) -> None:
        """Raise UsageError if ``--source`` names neither a data stage nor a task of the evaluation."""
        stages = [name for name in self.recipe.stages if self.recipe.kind(name) in SOURCED]
        tasks = [ours(task) for task in self.recipe.evaluation(self.layers).get("tasks", ())]
        known = [*stages, *(task for task in tasks if task in TASKS and task not in stages)]
        for name in self.given.sources():
            if name.partition(":")[0] not in known:
                close = difflib.get_close_matches(name, known)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
                raise UsageError(f"--source {name}=...: {self.recipe.name} has no such data stage or task; {hint}")

    # ------------------------------------------------------------ models

    def _model(self, name: str, named: str) -> tuple[str, str]:
        """The model that a training stage starts from, and the stage that makes it, if one does."""
        where = f"{self.recipe.file}: stages.{name}.model"
        if not named:
            order = self.variant.run
            before = order[: order.index(name)] if name in order else ()
            named = next((one for one in reversed(before) if self._stage(one)), START)
        if named == START:
            named, where = self._start()
            if named == name:  # the stage that makes the model to start from
                named = TINY
        if named in self.recipe.stages:
            if self.recipe.kind(named) != TRAIN:
                raise UsageError(f"{where}: {named} is a stage of kind {self.recipe.kind(named)}; name a model")
            stage = self._stage(named)
            if stage is None:
                raise UsageError(f"{where}: {named} was left out; name another model")
            return str(stage.folder), named
        check_model(named, f"{where}: {named}")
        return named, ""

    def _start(self) -> tuple[str, str]:
        """The model that the recipe starts from, or the name of the stage that makes it; and what says so."""
        file, scale, variant = self.recipe.file, self.scale, self.variant
        for named, where in (
            (self.given.model, "--model"),
            (scale.model, f"{file}: scales.{scale.name}.model"),
            (
                variant.model if scale.hub or Path(variant.model).exists() else "",
                f"{file}: variants.{variant.name}.model",
            ),
        ):
            if named:
                return named, where
        from pairgen.train.model.installed_model import installed_gguf

        return installed_gguf(), "the installed model"

    # ------------------------------------------------------------ evaluation

    def _evaluated(self, trained: Sequence[Stage]) -> list[Stage]:
        """Training stages, each followed by the evaluation of its model, and before them that of the first model."""
        options = self.recipe.evaluation(self.layers)
        if not options:
            return list(trained)
        options = self._tasks(options)
        if not options["tasks"]:
            self.left_out.append("Evaluation: no task has questions.")
            return list(trained)
        self.ordered = []
        if trained[0].model != TINY:
            self._add(f"eval-{START}", EVAL, options, model=trained[0].model)
        for stage in trained:
            self.ordered.append(stage)
            self._add(f"eval-{stage.name}", EVAL, options, model=str(stage.folder), after=stage.name)
        return self.ordered

    def _tasks(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options with the folders of data stages as tasks, and without tasks that have no questions."""
        data = {stage.name: stage for stage in self.found.values() if stage and stage.kind in DATA}
        given, own = (
            self.given.sources(),
            [text.partition("=")[0].partition(":")[0] for text in options.get("source", ())],
        )
        sources = [text for text in options.get("source", ()) if text.partition("=")[0].partition(":")[0] not in given]
        tasks = []
        for task in options.get("tasks", ()):
            if task in data:
                tasks.append(str(data[task].folder))
            elif task in self.recipe.stages:
                continue  # the variant does without it, or it was left out, which is said already
            elif ours(task) in TASKS and not self.scale.hub and task not in given and task not in own:
                self.left_out.append(f"{task}: no questions were given (--source {task}=FILE).")
            else:
                tasks.append(task)
        named = [
            f"{name}={where}" for name, wheres in given.items() if name.partition(":")[0] in tasks for where in wheres
        ]
        where = f"{self.recipe.file}: eval.source: "
        for origin, text in [*((where, text) for text in sources), *(("--source ", text) for text in named)]:
            check_source(text, f"{origin}{text}")
        device = {} if self.given.device == "auto" else {"device": self.given.device}
        return {**options, "tasks": tuple(tasks), "source": (*sources, *named), **device}
