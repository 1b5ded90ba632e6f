"""The model card: ``README.md`` of a trained model, made from its config and final metrics."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from pairgen.errors import count
from pairgen.train.config import Config
from pairgen.train.losses import LOSSES

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def render(config: Config, summary: Mapping[str, Any]) -> str:
    """The card as Markdown. Text from outside is shown as code; local paths are reduced to the name of their folder."""
    front_matter: dict[str, Any] = {
        "library_name": "peft" if config.lora else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["pairgen", "preference", config.loss],
    }
    if _is_hub_id(config.model):
        front_matter["base_model"] = config.model
    metrics = "\n".join(f"| `{name}` | {value:.6g} |" for name, value in summary["metrics"].items())
    options = _public_options(config)
    trained = (
        f"Trained with pairgen for {count(summary['steps'], 'step')}, on a dataset of "
        f"{count(summary['pairs'], 'pair')}. "
        f"Loss: {config.loss} ({LOSSES[config.loss].summary})."
    )
    parts = [
        f"---\n{yaml.safe_dump(front_matter, sort_keys=False, allow_unicode=True)}---",
        f"# `{Path(config.out).name}`: `{options['model']}` trained with {config.loss}",
        trained,
        "## Metrics at the last step\n\nLog-probs in nats.\n\n| metric | value |\n| --- | --- |\n" + metrics,
        f"## Options\n\n```json\n{json.dumps(options, indent=2)}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _is_hub_id(model: str) -> bool:
    """Whether a model is one of the Hub; a folder of that name takes precedence when it is loaded."""
    return model != "tiny" and bool(HUB_ID.fullmatch(model)) and not Path(model).is_dir()


def _public_options(config: Config) -> dict[str, Any]:
    """The options that have a value, without paths of this machine."""
    options = {name: value for name, value in asdict(config).items() if value not in (None, "", ())}
    options["data"] = [Path(folder).name for folder in config.data]
    options["model"] = config.model if _is_hub_id(config.model) else Path(config.model).name
    return {name: value for name, value in options.items() if name not in ("out", "reference_dir")}
