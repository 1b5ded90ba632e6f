"""Recipes as they are in TOML files.

A file has ``title``, ``about``, and these tables, of which only ``stages`` is required:

[stages.NAME]     what is done: ``kind``, and the options of that kind (``stage_kinds``), named as on the command line
[eval]            how the model at the start, and that of every training stage, is evaluated; without it, none is
[train]           options of every training stage; likewise [build], [import], [sft-data], [mix]
[variants.NAME]   ``about``, ``model`` (to start from) and ``run``: the training stages in order, by default all of the
                  file; and the tables above, which override the file's
[scales.NAME]     ``about``, ``model``, ``hub`` (false: no rows come from the Hub), ``not_shown``, and the tables above,
                  which override those of the file and of the variant

A training stage continues from the one before it unless it has ``model``: a model, the name of a training stage, or
``start``. Data stages that no training stage of a variant needs are not made.
"""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairgen.errors import UsageError
from pairgen.options import read_values
from pairgen.recipes import RECIPES, known_names
from pairgen.recipes.stage_kinds import DATA, EVAL, KINDS, MIX, SFT_DATA, TRAIN

NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
"""Regular expression of the names of stages, variants and scales, which are names of folders, too."""

START = "start"
"""The model that a recipe starts from, where a stage names models."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Layer:
    """A variant or a scale: what it changes."""

    name: str
    about: str
    model: str
    not_shown: tuple[str, ...]
    """What the report says that the scale cannot show."""
    hub: bool
    """Whether rows may come from the Hub."""
    run: tuple[str, ...]
    """The training stages in order."""
    by_kind: Mapping[str, Values]
    by_stage: Mapping[str, Values]


@dataclass(frozen=True)
class Recipe:
    """A recipe, checked, but for what depends on other options (see ``arrangement``)."""

    name: str
    file: Path
    title: str
    about: str
    not_shown: tuple[str, ...]
    """What the report says that the recipe cannot show."""
    stages: Mapping[str, Values]
    """By name: ``kind`` and options."""
    by_kind: Mapping[str, Values]
    variants: Mapping[str, Layer]
    scales: Mapping[str, Layer]

    def kind(self, stage: str) -> str:
        return str(self.stages[stage]["kind"])

    def options(self, stage: str, layers: Collection[Layer]) -> dict[str, Any]:
        """The options of a stage with those of the layers, of which later ones count."""
        found = {**self.by_kind.get(self.kind(stage), {}), **self.stages[stage]}
        for layer in layers:
            found |= {**layer.by_kind.get(self.kind(stage), {}), **layer.by_stage.get(stage, {})}
        return {key: value for key, value in found.items() if key != "kind"}

    def evaluation(self, layers: Collection[Layer]) -> dict[str, Any]:
        """The options of the evaluation; none if nothing is evaluated."""
        found = dict(self.by_kind.get(EVAL, {}))
        for layer in layers:
            found |= layer.by_kind.get(EVAL, {})
        return found


def find(name: str) -> Recipe:
    """A recipe of the package by name, or of a TOML file.

    Raises:
        UsageError: it does not exist or cannot be read, or a key or value is not allowed; names file and key.
    """
    file = RECIPES.get(name, Path(name))
    if name not in RECIPES and not file.is_file():
        close = difflib.get_close_matches(name, RECIPES)
        hint = f"did you mean {close[0]}?" if close else f"available: {', '.join(RECIPES)}, or a TOML file"
        raise UsageError(f"run {name}: no such recipe; {hint}")
    return _Reader(file).recipe()


class _Reader:
    """Reads and checks a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.name = file.name if file not in RECIPES.values() else file.stem
        self.values = read_values(file)

    def recipe(self) -> Recipe:
        values = self.values
        self._known(values, "", ("title", "about", "not_shown", "stages", "variants", "scales", *KINDS))
        stages = self._tables(values, "stages")
        if not stages:
            raise self._error("stages", "missing; a recipe has at least one [stages.NAME]")
        for name, options in stages.items():
            self._stage(name, options)
        by_kind = {kind: self._options(values[kind], kind, kind) for kind in KINDS if kind in values}
        variants = {name: self._layer(name, one, "variants") for name, one in self._tables(values, "variants").items()}
        scales = {name: self._layer(name, one, "scales") for name, one in self._tables(values, "scales").items()}
        return Recipe(
            name=self.file.stem,
            file=self.file,
            title=self._text(values, "title", default=self.file.stem),
            about=self._text(values, "about"),
            not_shown=self._names(values, "not_shown"),
            stages=stages,
            by_kind=by_kind,
            variants=variants or {"": self._layer("", {}, "variants")},
            scales=scales or {"": self._layer("", {}, "scales")},
        )

    # ------------------------------------------------------------ parts

    def _stage(self, name: str, options: Values) -> None:
        key = f"stages.{name}"
        kinds = [kind for kind in KINDS if kind != EVAL]
        if options.get("kind") not in kinds:
            found = f", got {options['kind']!r}" if "kind" in options else ""
            raise self._error(f"{key}.kind", f"must be one of {', '.join(kinds)}{found}")
        if name in (START, EVAL):
            raise self._error(key, f"a stage cannot be named {name!r}")
        rest = {option: value for option, value in options.items() if option != "kind"}
        self._options(rest, options["kind"], key)

    def _options(self, values: Any, kind: str, key: str) -> Values:
        """Options of a kind, checked: names, types, ranges, and the stages that they name."""
        if not isinstance(values, dict):
            raise self._error(key, "must be a table")
        KINDS[kind].check(values, f"{self.file}: {key}")
        known_names.check_options(values, kind, f"{self.file}: {key}")
        if kind == EVAL:
            kinds = {name: one["kind"] for name, one in self.values["stages"].items()}
            for _ in kinds:  # a mix of texts has no pairs, and neither has a mix of it
                for name, one in self.values["stages"].items():
                    if any(kinds.get(data) == SFT_DATA for data in one.get("data", ()) if one["kind"] == MIX):
                        kinds[name] = SFT_DATA
            known_names.check_tasks(values.get("tasks", ()), kinds, f"{self.file}: {key}.tasks")
        for name in values.get("data", ()):
            self._is_kind(name, DATA, f"{key}.data")
        if values.get("model") in self.values["stages"]:
            self._is_kind(values["model"], (TRAIN,), f"{key}.model")
        return dict(values)

    def _layer(self, name: str, values: Values, table: str) -> Layer:
        key = f"{table}.{name}"
        own = ("run",) if table == "variants" else ("hub", "not_shown")
        if values.get("model") in self.values["stages"]:
            self._is_kind(values["model"], (TRAIN,), f"{key}.model")
        self._known(values, key, ("about", "model", *own, "stages", *KINDS))
        stages = self.values["stages"]
        by_stage = {}
        for stage, options in self._tables(values, "stages", key).items():
            if stage not in stages:
                raise self._unknown(stage, f"{key}.stages")
            by_stage[stage] = self._options(options, stages[stage]["kind"], f"{key}.stages.{stage}")
        by_kind = {kind: self._options(values[kind], kind, f"{key}.{kind}") for kind in KINDS if kind in values}
        order = self._names(values, "run", key)
        for stage in order:
            self._is_kind(stage, (TRAIN,), f"{key}.run")
        if not isinstance(values.get("hub", True), bool):
            raise self._error(f"{key}.hub", "must be true or false")
        return Layer(
            name=name,
            about=self._text(values, "about", key),
            model=self._text(values, "model", key),
            not_shown=self._names(values, "not_shown", key),
            hub=values.get("hub", True),
            run=order or tuple(name for name, one in stages.items() if one["kind"] == TRAIN),
            by_kind=by_kind,
            by_stage=by_stage,
        )

    # ------------------------------------------------------------ values

    def _tables(self, values: Values, name: str, key: str = "") -> dict[str, dict[str, Any]]:
        found = values.get(name, {})
        where = f"{key}.{name}" if key else name
        if not isinstance(found, dict):
            raise self._error(where, "must be a table")
        for one, options in found.items():
            if not isinstance(options, dict):
                raise self._error(f"{where}.{one}", "must be a table")
            if not re.fullmatch(NAME, one):
                raise self._error(
                    f"{where}.{one!r}", "a name has letters, digits, '.', '_' and '-' only, and no '.' first"
                )
        return found

    def _text(self, values: Values, name: str, key: str = "", default: str = "") -> str:
        value = values.get(name, default)
        if not isinstance(value, str):
            raise self._error(f"{key}.{name}" if key else name, f"must be a text, got {value!r}")
        return " ".join(value.split())

    def _names(self, values: Values, name: str, key: str = "") -> tuple[str, ...]:
        found = values.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self._error(f"{key}.{name}" if key else name, "must be a list of texts")
        return tuple(found)

    def _known(self, values: Values, key: str, names: Collection[str]) -> None:
        for name in values:
            if name not in names:
                where = f"{key}.{name}" if key else name
                raise self._error(where, f"unknown key; available: {', '.join(names)}")

    def _is_kind(self, name: str, kinds: Collection[str], key: str) -> None:
        stages = self.values["stages"]
        if name not in stages:
            raise self._unknown(name, key)
        if (found := stages[name].get("kind")) not in kinds:
            raise self._error(key, f"{name} is a stage of kind {found}; name one of kind {' or '.join(kinds)}")

    def _unknown(self, name: str, key: str) -> UsageError:
        stages = self.values["stages"]
        close = difflib.get_close_matches(name, stages)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(stages)}"
        return self._error(key, f"there is no stage {name!r}; {hint}")

    def _error(self, key: str, problem: str) -> UsageError:
        return UsageError(f"{self.file}: {key}: {problem}")
