"""What must be equal for two builds to have the same blocks and make the same pairs of them."""

import json
from collections.abc import Mapping
from typing import Any

import xxhash

from pairgen.building.manifest import describe_build
from pairgen.building.planning import Plan
from pairgen.options import flag

Conditions = dict[str, Any]
"""Ready for JSON: the manifest's account of builder, options, sources and versions, and what it leaves out."""

_WORDS = {
    "sources": "source rows",
    "versions": "versions of pairgen, Python or its libraries",
    "prompt_template": "prompt template",
    "block_bytes": "blocks of rows",
    "license": "--license",
    "id_column": "--id-column",
}
"""What a condition is called, if not by the name of an option."""


def conditions_of(plan: Plan, provenance: Mapping[str, Any]) -> Conditions:
    """The conditions of a build. What a builder of one's own does is not among them, except for its name and texts.

    Args:
        provenance: the sources by split, with the hashes of their files.
    """
    described = describe_build(plan.builder, "", plan.options, plan.eval_size, dict(provenance), plan.template)
    found = {key: value for key, value in described.items() if key != "command"}
    found |= {
        "id_column": plan.options.id_column,
        "block_bytes": plan.reader().block_bytes,
    }
    plain: Conditions = json.loads(json.dumps(found))
    return plain


def digest_of(conditions: Conditions) -> str:
    """A digest that is equal for equal conditions."""
    return xxhash.xxh3_128_hexdigest(json.dumps(conditions, sort_keys=True).encode())


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The conditions that differ, in words: options as flags."""
    names = []
    for name in dict.fromkeys([*one, *other]):
        if name == "options":
            options = [side.get(name, {}) for side in (one, other)]
            names += [
                _WORDS.get(key, flag(key))
                for key in dict.fromkeys([*options[0], *options[1]])
                if options[0].get(key) != options[1].get(key)
            ]
        elif one.get(name) != other.get(name):
            names.append(_WORDS.get(name, name))
    return list(dict.fromkeys(names))
