"""The client of the Hugging Face Hub, without its long retries if there is no connection."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TIMEOUT = 5.0
"""Seconds to wait for the first answer."""


@contextmanager
def offline_if_unreachable() -> Iterator[None]:
    """Let the client use its cache only if the Hub does not answer: it would retry for up to a minute."""
    from huggingface_hub import constants as settings

    constants: Any = settings
    if constants.HF_HUB_OFFLINE or is_reachable(constants.ENDPOINT):
        yield
        return
    modules = [constants, *(sys.modules[name] for name in ("datasets.config",) if name in sys.modules)]
    for module in modules:
        module.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for module in modules:
            module.HF_HUB_OFFLINE = False


def is_reachable(endpoint: str) -> bool:
    """Whether the Hub answers at all, within ``TIMEOUT``."""
    from huggingface_hub import utils

    session: Any = utils
    try:
        session.get_session().head(endpoint, timeout=TIMEOUT)
    except Exception:  # of the HTTP library, whichever the client uses
        return False
    return True
