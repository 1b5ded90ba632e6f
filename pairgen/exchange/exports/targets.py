"""Rows as other trainers read them. A new target is one function, and one entry of ``TARGETS``.

Schemas: TRL's dataset types, LLaMA-Factory's ``data/README.md``, Axolotl's ``chat_template.default``, NeMo RL's
preference dataset, Math-Step-DPO-10K (arXiv 2406.18629), ProcessBench (arXiv 2412.06559).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pairgen.exchange.exports.steps import answer_of, split_steps, wrong_step

Pair = Mapping[str, Any]
Row = dict[str, Any]

COLUMNS = ("prompt", "chosen", "rejected", "messages", "pair_id", "group_id", "source")
STEP_COLUMNS = (*COLUMNS, "edits", "edit_start", "chosen_edit_stop", "rejected_edit_stop", "corrupted")
"""The columns that targets use."""


class Target(NamedTuple):
    """A layout to write."""

    summary: str
    rows: Callable[[Sequence[Pair]], Iterator[Row]]
    """The rows of consecutive pairs with one prompt and chosen."""
    schema: Mapping[str, pa.DataType]
    needs_steps: bool = False
    """Whether it takes pairs with a corrupted step only."""


# ---------------------------------------------------------------- text


def _trl(group: Sequence[Pair]) -> Iterator[Row]:
    for pair in group:
        yield {name: pair[name] for name in ("prompt", "chosen", "rejected", "pair_id", "group_id", "source")}


def _kto(group: Sequence[Pair]) -> Iterator[Row]:
    first = group[0]
    same = {"group_id": first["group_id"], "source": first["source"]}
    yield {"prompt": first["prompt"], "completion": first["chosen"], "label": True, **same}
    for pair in group:
        yield {"prompt": pair["prompt"], "completion": pair["rejected"], "label": False, **same}


def _ranked(group: Sequence[Pair]) -> Iterator[Row]:
    completions = [group[0]["chosen"], *(pair["rejected"] for pair in group)]
    scores = [1.0] + [0.0] * len(group)
    yield {"prompt": group[0]["prompt"], "completions": completions, "scores": scores, "source": group[0]["source"]}


# ---------------------------------------------------------------- messages


def _messages(pair: Pair) -> list[Row]:
    return list(pair["messages"] or [{"role": "user", "content": pair["prompt"]}])


def _assistant(completion: str) -> Row:
    return {"role": "assistant", "content": completion.lstrip()}


def _ids(pair: Pair) -> Row:
    """What identifies a pair, and the whitespace between prompt and completion, which messages do not have."""
    chosen = pair["chosen"]
    separator = chosen[: len(chosen) - len(chosen.lstrip())]
    return {"pair_id": pair["pair_id"], "group_id": pair["group_id"], "source": pair["source"], "separator": separator}


def _trl_chat(group: Sequence[Pair]) -> Iterator[Row]:
    for pair in group:
        completions = {name: [_assistant(pair[name])] for name in ("chosen", "rejected")}
        yield {"prompt": _messages(pair), **completions, **_ids(pair)}


def _axolotl(group: Sequence[Pair]) -> Iterator[Row]:
    for pair in group:
        completions = {name: _assistant(pair[name]) for name in ("chosen", "rejected")}
        yield {"messages": _messages(pair), **completions, **_ids(pair)}


_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def _said(message: Row) -> Row:
    return {"from": _SPEAKERS[message["role"]], "value": message["content"]}


def _llama_factory(group: Sequence[Pair]) -> Iterator[Row]:
    for row in _axolotl(group):
        messages = row.pop("messages")
        conversation = [_said(message) for message in messages]
        yield {"conversations": conversation, **row, "chosen": _said(row["chosen"]), "rejected": _said(row["rejected"])}


def _nemo_rl(group: Sequence[Pair]) -> Iterator[Row]:
    texts = [group[0]["chosen"], *(pair["rejected"] for pair in group)]
    completions = [{"rank": min(at, 1), "completion": [_assistant(text)]} for at, text in enumerate(texts)]
    ids = {name: value for name, value in _ids(group[0]).items() if name != "pair_id"}
    yield {"context": _messages(group[0]), "completions": completions, **ids}


# ---------------------------------------------------------------- steps


def _step_dpo(group: Sequence[Pair]) -> Iterator[Row]:
    for pair in group:
        step = wrong_step(pair)
        yield {
            "dataset": pair["source"],
            "prompt": pair["prompt"],
            "initial_reason_steps": "".join(step.before),
            "chosen": step.right,
            "rejected": step.wrong,
            "full_chosen": pair["chosen"],
            "full_rejected": pair["rejected"],
            "answer": answer_of(pair["chosen"]),
        }


def _stepwise(group: Sequence[Pair]) -> Iterator[Row]:
    """The chosen solution, and each rejected one up to its wrong step: what follows is neither right nor wrong."""
    right = split_steps(group[0]["chosen"])
    solutions = [(right, [True] * len(right))]
    for pair in group:
        step = wrong_step(pair)
        solutions.append(([*step.before, step.wrong], [True] * len(step.before) + [False]))
    for steps, labels in solutions:
        yield {"prompt": group[0]["prompt"], "completions": [text.strip() for text in steps], "labels": labels}


def _processbench(group: Sequence[Pair]) -> Iterator[Row]:
    same = {"generator": group[0]["source"], "problem": group[0]["prompt"]}
    right = [text.strip() for text in split_steps(group[0]["chosen"])]
    yield {"id": group[0]["group_id"], **same, "steps": right, "final_answer_correct": True, "label": -1}
    for pair in group:
        step = wrong_step(pair)
        keeps_answer = bool(step.after) and step.rest.endswith(step.after[-1])
        after = split_steps(step.rest) if step.rest.strip() else []
        steps = [text.strip() for text in (*step.before, step.wrong, *after)]
        label = {"final_answer_correct": keeps_answer, "label": len(step.before)}
        yield {"id": pair["pair_id"], **same, "steps": steps, **label}


# ---------------------------------------------------------------- the table

_TEXT, _TEXTS = pa.string(), pa.list_(pa.string())
_MESSAGE = pa.struct({"role": _TEXT, "content": _TEXT})
_SAID = pa.struct({"from": _TEXT, "value": _TEXT})
_CHAT = pa.list_(_MESSAGE)
_ORIGIN = {"group_id": _TEXT, "source": _TEXT}
_IDS = {"pair_id": _TEXT, **_ORIGIN}
_CHAT_IDS = {**_IDS, "separator": _TEXT}
_PAIR = dict.fromkeys(("prompt", "chosen", "rejected"), _TEXT)

TARGETS: dict[str, Target] = {
    "trl": Target("prompt, chosen, rejected as text: TRL's DPOTrainer and others", _trl, {**_PAIR, **_IDS}),
    "trl-chat": Target(
        "prompt, chosen, rejected as messages: TRL with a chat template",
        _trl_chat,
        {**dict.fromkeys(_PAIR, _CHAT), **_CHAT_IDS},
    ),
    "kto": Target(
        "one completion with a label per row: TRL's KTOTrainer",
        _kto,
        {"prompt": _TEXT, "completion": _TEXT, "label": pa.bool_(), **_ORIGIN},
    ),
    "ranked": Target(
        "all completions of a prompt with scores",
        _ranked,
        {"prompt": _TEXT, "completions": _TEXTS, "scores": pa.list_(pa.float64()), "source": _TEXT},
    ),
    "step-dpo": Target(
        "the right steps, then one right and one wrong step: Step-DPO",
        _step_dpo,
        dict.fromkeys(
            (
                *("dataset", "prompt", "initial_reason_steps", "chosen", "rejected"),
                *("full_chosen", "full_rejected", "answer"),
            ),
            _TEXT,
        ),
        needs_steps=True,
    ),
    "stepwise": Target(
        "steps with labels, up to the first wrong one: process reward models",
        _stepwise,
        {"prompt": _TEXT, "completions": _TEXTS, "labels": pa.list_(pa.bool_())},
        needs_steps=True,
    ),
    "processbench": Target(
        "steps with the index of the first wrong one, or -1: ProcessBench",
        _processbench,
        {
            **dict.fromkeys(("id", "generator", "problem"), _TEXT),
            "steps": _TEXTS,
            "final_answer_correct": pa.bool_(),
            "label": pa.int64(),
        },
        needs_steps=True,
    ),
    "llama-factory": Target(
        "conversations with chosen and rejected, and a dataset_info.json: LLaMA-Factory",
        _llama_factory,
        {"conversations": pa.list_(_SAID), "chosen": _SAID, "rejected": _SAID, **_CHAT_IDS},
    ),
    "axolotl": Target(
        "messages with chosen and rejected: Axolotl's chat_template.default",
        _axolotl,
        {"messages": _CHAT, "chosen": _MESSAGE, "rejected": _MESSAGE, **_CHAT_IDS},
    ),
    "nemo-rl": Target(
        "context and ranked completions: NeMo RL",
        _nemo_rl,
        {
            "context": _CHAT,
            "completions": pa.list_(pa.struct({"rank": pa.int64(), "completion": _CHAT})),
            **_ORIGIN,
            "separator": _TEXT,
        },
    ),
}
