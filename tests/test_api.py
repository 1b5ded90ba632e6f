"""The public names of the package."""

import subprocess
import sys

import pytest

import pairgen


@pytest.mark.parametrize("name", pairgen.__all__)
def test_public_name_exists_and_is_documented(name: str) -> None:
    assert name in dir(pairgen)
    assert getattr(pairgen, name).__doc__


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pairgen' has no attribute 'bild'"):
        pairgen.bild  # noqa: B018


def test_public_names_do_not_import_torch() -> None:
    code = (
        "import sys, pairgen; [getattr(pairgen, name) for name in pairgen.__all__]; "
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_loads_no_submodule() -> None:
    code = "import sys, pairgen; print([name for name in sys.modules if name.startswith('pairgen.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
