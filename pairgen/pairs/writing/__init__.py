"""Writing pair datasets: ``DatasetWriter``, the shards of a split, and what an unfinished writer leaves to resume."""

from pairgen.pairs.writing.dataset_writer import DatasetWriter
from pairgen.pairs.writing.shards import json_text

__all__ = ["DatasetWriter", "json_text"]
