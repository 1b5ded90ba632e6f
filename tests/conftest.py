"""Shared fixtures."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from typer.testing import CliRunner, Result

from pairgen.cli import load_app

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run in parallel, so more threads would only compete
settings.register_profile(  # no deadlines: time depends on what else the machine does
    "pairgen", deadline=None, max_examples=100 if os.environ.get("CI") else 40
)
settings.load_profile("pairgen")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real rows in PAIRGEN_REAL_DATA. Without it, tests that need it are skipped; in CI they fail."""
    folder = os.environ.get("PAIRGEN_REAL_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    if os.environ.get("CI"):
        pytest.fail(f"PAIRGEN_REAL_DATA={folder}: CI runs the tests on real rows, and this folder does not exist")
    pytest.skip("set PAIRGEN_REAL_DATA to a folder of real rows to run this test")


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command line in this process: ``run("build", "arc", "--out", folder)``."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(load_app(), [str(argument) for argument in arguments])

    return call
