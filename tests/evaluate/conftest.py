"""What all tests of evaluation share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    """The harness describes the machine in its results, which takes it seconds each time."""
    import torch.utils.collect_env as collect_env

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect_env, "get_pretty_env_info", lambda: "a machine")
        yield
