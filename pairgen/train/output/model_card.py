"""The model card: ``README.md`` of a trained model, made of its config and what the run came to."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import yaml

from pairgen.train.config import Config
from pairgen.train.losses import LOSSES


def render(config: Config, summary: Mapping[str, Any]) -> str:
    """The whole card as Markdown; what comes from outside is shown as code, never as markup."""
    about: dict[str, Any] = {
        "library_name": "peft" if config.lora else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["pairgen", "preference", config.loss],
    }
    if config.model != "tiny":
        about["base_model"] = config.model
    options = {name: value for name, value in asdict(config).items() if value not in (None, "", ())}
    figures = "\n".join(f"| `{name}` | {value:.6g} |" for name, value in summary["metrics"].items())
    said = (
        f"Trained with pairgen on {summary['pairs']:,} pairs for {summary['steps']:,} steps. "
        f"Loss: {config.loss}, {LOSSES[config.loss].summary}."
    )
    parts = [
        f"---\n{yaml.safe_dump(about, sort_keys=False, allow_unicode=True)}---",
        "# A model trained on preference pairs",
        said,
        "## Metrics at the last step\n\nLog-probs in nats.\n\n| metric | value |\n| --- | --- |\n" + figures,
        f"## Options\n\n```json\n{json.dumps(options, indent=2)}\n```",
    ]
    return "\n\n".join(parts) + "\n"
