"""The public names of the package."""

import subprocess
import sys

import pytest

import pairgen


@pytest.mark.parametrize("name", pairgen.__all__)
def test_public_names_exist_and_are_documented(name: str) -> None:
    assert name in dir(pairgen)
    assert getattr(pairgen, name).__doc__


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="module 'pairgen' has no attribute 'bild'"):
        pairgen.bild  # noqa: B018


def test_public_functions_load_no_torch() -> None:
    code = (
        "import sys, pairgen; [getattr(pairgen, name) for name in pairgen.__all__]; "
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_loads_none_of_the_parts() -> None:
    code = "import sys, pairgen; print([name for name in sys.modules if name.startswith('pairgen.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
