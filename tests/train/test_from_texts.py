"""Token trees in somebody else's training loop: any rows of texts, any model of transformers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.families import logp, small_config, spread_model
from helpers.small_tokenizers import byte_level, chatml
from helpers.tiny_runs import dataset

from pairgen.errors import UsageError
from pairgen.pairs.dataset import open_pairs
from pairgen.train import LOSSES, Config, PairLogps, Scorer, exact_layout, groups_of_texts
from pairgen.train.data.groups import TokenGroup
from pairgen.train.data.token_cache import TokenCache
from pairgen.train.data.tokenization import SAME, PairTokenizer
from pairgen.train.layout.padded import padded_batch

ROWS: list[tuple[str, str, list[str]]] = [
    ("Why does the sun shine?", " the sun is 24 and shines", [" the sun is 25 and shines", " the moon", " so"]),
    ("Why?", " So the lamp shines!", [" So the lamp"]),
    ("the moon is", " 2", [" 24 and the sun is 2", " é"]),
]


def groups(**options: Any) -> list[TokenGroup]:
    return groups_of_texts(byte_level(), ROWS, **options)


def plain(group: TokenGroup) -> tuple[Any, ...]:
    return group.prompt.tolist(), [ids.tolist() for ids in group.completions], group.edit.tolist()


def test_groups_are_those_that_training_has(tmp_path: Path) -> None:
    """The slow twin: the same texts as a dataset, through the token cache of a run."""
    pairs = open_pairs(dataset(tmp_path / "pairs", "arc", rows=6))
    by_group: dict[str, tuple[str, str, list[str]]] = {}
    for pair in pairs["train"]:
        by_group.setdefault(pair["group_id"], (pair["prompt"], pair["chosen"], []))[2].append(pair["rejected"])
    cached = TokenCache(tmp_path / "tokens", PairTokenizer(byte_level())).tokenize(pairs, "train")
    found = groups_of_texts(byte_level(), list(by_group.values()))
    assert [plain(group) for group in found] == [plain(group) for group in cached.groups]


def test_pairs_are_numbered_by_row_and_rejected() -> None:
    assert [group.pair_ids for group in groups()] == [("0-0", "0-1", "0-2"), ("1-0",), ("2-0", "2-1")]
    (single,) = groups_of_texts(byte_level(), [("Why?", " So", " No")])
    assert single.pair_ids == ("0-0",)


def test_messages_go_through_the_chat_template() -> None:
    tokenizer = chatml()
    asked = [{"role": "system", "content": "the sun"}, {"role": "user", "content": "Why?"}]
    (group,) = groups_of_texts(tokenizer, [(asked, "So", ["the moon"])])
    expected = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert tokenizer.backend_tokenizer.decode(group.prompt.tolist(), skip_special_tokens=False) == expected
    (text,) = groups_of_texts(tokenizer, [(asked, " So", [" the moon"])], chat="off")
    assert tokenizer.decode(text.prompt.tolist()) == "the sun\n\nWhy?"


def test_dropped_pairs_are_counted() -> None:
    with pytest.warns(UserWarning, match=rf"^dropped 1 pair: {SAME} \(1\)$"):
        (group,) = groups_of_texts(byte_level(), [("Why?", " So", [" So", " No"])])
    assert group.pair_ids == ("0-1",)
    with pytest.raises(UsageError, match=rf"no pair is left: {SAME} \(1\)"):
        groups_of_texts(byte_level(), [("Why?", " So", " So")])
    with pytest.raises(UsageError, match="no pair is left: there are no rows"):
        groups_of_texts(byte_level(), [])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("Why?", " So"), "row 1: expected prompt, chosen and rejected"),
        (None, "row 1: expected prompt, chosen and rejected"),
        (("Why?", " So", []), "row 1: has no rejected completion"),
        ((3, " So", " No"), "row 1: the prompt is neither a text nor a list of messages"),
        (([{"text": "Why?"}], " So", " No"), "row 1: the prompt is neither a text nor a list of messages"),
        (("Why?", " So", [None]), "row 1: completions are texts"),
    ],
)
def test_other_rows_are_refused(row: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        groups_of_texts(byte_level(), [ROWS[0], row])


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen2", "qwen3_moe", "gemma2"])
def test_a_loop_of_your_own_trains_on_exact_log_probs(family: str) -> None:
    model = spread_model(small_config(family, vocab_size=len(byte_level())))
    scorer, found = Scorer(model), groups()
    before = model(torch.arange(3, 20)[None]).logits
    layout = exact_layout(scorer, found)
    batch = layout(found)
    assert batch.processed_tokens < padded_batch(found).processed_tokens
    policy = batch.completions(scorer(batch))
    expected = [
        logp(model, torch.tensor([*group.prompt, *ids]), len(group.prompt))
        for kind in (0, 1)
        for group in found
        for ids in (group.completions[1:] if kind else [group.completions[0]] * group.pairs)
    ]
    torch.testing.assert_close(policy.sum(1), torch.stack(expected), atol=1e-3, rtol=1e-4)
    reference, losses = policy.detach(), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for _ in range(4):
        logps = PairLogps(batch.completions(scorer(batch)), reference, batch.mask, batch.edit)
        loss = LOSSES["dpo"].function(logps, Config(beta=0.1)).mean()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    assert losses[0] == pytest.approx(0.6931, abs=1e-3)
    assert losses[-1] < losses[0]
    assert not torch.equal(model(torch.arange(3, 20)[None]).logits, before), "the model's own pass still works"


def test_the_own_pass_of_a_model_is_the_same_afterwards() -> None:
    model = spread_model(small_config("llama", vocab_size=len(byte_level())))
    ids = torch.arange(3, 51).reshape(2, 24)
    before = model(ids).logits
    scorer = Scorer(model)
    scorer(exact_layout(scorer, groups())(groups()))
    torch.testing.assert_close(model(ids).logits, before)


def test_a_model_that_does_not_score_trees_exactly_gets_padded_rows() -> None:
    model = spread_model(small_config("gpt_oss", vocab_size=len(byte_level())))
    with pytest.warns(UserWarning, match="prefix sharing is disabled: "):
        layout = exact_layout(Scorer(model), groups())
    assert layout(groups()).subtree_end is None
