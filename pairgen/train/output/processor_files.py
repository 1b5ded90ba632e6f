"""The files of a multimodal model's processor (images, video, audio), which a trained copy of it needs to load.

Training on text does not change them, so they are copied from where the model came from.
"""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

from pairgen.hub_client import offline_if_unreachable

PROCESSOR_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "feature_extractor_config.json",
    "chat_template.json",
)
"""Names that transformers reads; the last one is that of older processors."""


def is_multimodal(config: Any) -> bool:
    """Whether a config of transformers has parts for other inputs than text."""
    text = config.get_text_config()
    return any(getattr(config, name, None) not in (None, text) for name in getattr(config, "sub_configs", ()))


def copy_processor(source: str, folder: Path, from_hub: bool) -> None:
    """Copy the files of a processor to a saved model, those that exist.

    Args:
        source: the folder or Hub id that the tokenizer was loaded from, or "".
        from_hub: look for them on the Hub too, if ``source`` is not a folder.
    """
    for name in PROCESSOR_FILES if source else ():
        local = Path(source) / name
        found = local if Path(source).is_dir() else _from_hub(source, name) if from_hub else None
        if found and found.is_file() and not (folder / name).exists():
            shutil.copyfile(found, folder / name)


@cache
def _from_hub(repo: str, name: str) -> Path | None:
    """A file of a model on the Hub, from the cache or downloaded; None if it has none of this name."""
    from transformers.utils import cached_file

    missing_is_fine = {
        f"_raise_exceptions_for_{reason}": False for reason in ("gated_repo", "missing_entries", "connection_errors")
    }
    with offline_if_unreachable():
        found = cached_file(repo, name, **missing_is_fine)
    return Path(found) if found else None
