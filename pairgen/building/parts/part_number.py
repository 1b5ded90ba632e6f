"""``--shard I/N``: which blocks of the source a build converts, so that N builds together convert all of them."""

import re
from typing import NamedTuple

from pairgen.errors import UsageError


class Shard(NamedTuple):
    """Part ``number`` (from 0) of ``of`` parts: every ``of``-th block, from this number on."""

    number: int = 0
    of: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str | None) -> Shard:
    """``"0/3"`` as a shard; None is the whole. Raises UsageError."""
    if text is None:
        return Shard()
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    if shard is None or not shard.number < shard.of:
        raise UsageError(f"--shard must be I/N with I from 0 to N - 1, such as 0/3, got {text!r}")
    return shard
