"""The options of ``pairgen run``. Does not import torch."""

import shlex
from dataclasses import dataclass

from pairgen.errors import UsageError
from pairgen.options import check, option


@dataclass(frozen=True)
class RecipeOptions:
    """One run of a recipe.

    Raises:
        UsageError: a value that is not allowed.
    """

    scale: str = option(
        "", "Size of the run: one of the recipe's scales. Default: the first of them.", metavar="<name>"
    )
    variant: str = option(
        "", "Which of the recipe's variants, such as 7b. Default: the first of them.", metavar="<name>"
    )
    model: str = option(
        "",
        "Model to start from: a folder, a GGUF file or a Hub id. Default: that of the scale or of the variant.",
        metavar="MODEL",
    )
    source: tuple[str, ...] = option(
        (),
        "Rows of a data stage, or of a task of the evaluation, instead of those that the recipe names. Repeat it for "
        "more; NAME=eval=FILE has held-out rows.",
        metavar="NAME=[split=]SOURCE",
    )
    out: str = option(
        "",
        "Folder of the stages and of the report. Finished stages are reused. Default: the names of recipe, variant and "
        "scale.",
        aliases=("-o",),
        metavar="DIR",
    )
    device: str = option("auto", "Device; auto: CUDA if available.", choices=("auto", "cpu", "cuda"))
    launch: str = option(
        "",
        "Train in processes that this command starts, such as 'torchrun --nproc-per-node 8'. Default: in this process.",
        metavar="COMMAND",
    )

    def __post_init__(self) -> None:
        check(self)
        self.sources()
        try:
            shlex.split(self.launch)
        except ValueError as error:
            raise UsageError(f"--launch {self.launch}: {error}") from None

    def sources(self) -> dict[str, tuple[str, ...]]:
        """What ``--source`` names, by the name of the stage or task. Raises UsageError."""
        found: dict[str, tuple[str, ...]] = {}
        for text in self.source:
            name, equals, where = text.partition("=")
            if not equals or not name or not where:
                raise UsageError(f"--source {text}: write NAME=SOURCE, where NAME is a data stage or a task")
            found[name] = (*found.get(name, ()), where)
        return found
