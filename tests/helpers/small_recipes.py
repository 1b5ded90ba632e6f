"""A recipe of seconds, with every kind of stage."""

from pathlib import Path

SMALL = """
title = "Two stages"
about = "Does it run?"
not_shown = ["Anything else."]

[stages.chat]
kind = "sft-data"
source = ["train=sample:sharegpt:30", "eval=sample:sharegpt:6"]

[stages.solutions]
kind = "sft-data"
source = ["sample:metamath:30"]

[stages.texts]
kind = "mix"
data = ["chat", "solutions"]

[stages.wrong]
kind = "build"
dataset = "metamath"
source = ["sample:30"]
eval_size = 8

[stages.lies]
kind = "import"
source = ["train=sample:truthy:30", "eval=sample:truthy:12"]

[train]
steps = 3
batch_size = 4
learning_rate = 1e-3
save_every = 1
eval_pairs = 4
best = "none"
peak_tflops = 1.0

[stages.tune]
kind = "train"
data = ["texts"]
model = "tiny"
loss = "sft"

[stages.dpop]
kind = "train"
data = ["wrong"]

[stages.dpo]
kind = "train"
data = ["lies"]
loss = "dpo"

[eval]
tasks = ["wrong", "lies", "arc"]
source = ["arc=sample:12"]
shots = 0
"""


def write(folder: Path, text: str = SMALL, name: str = "small.toml") -> str:
    """The path of a recipe in a folder."""
    file = folder / name
    file.write_text(text, "utf-8")
    return str(file)
