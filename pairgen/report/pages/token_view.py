"""One pair, token by token: log-probs under the reference and the policy above it, colored by the change."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from pairgen.report.pages.html.markup import Child, Html, code, element, join, paragraphs, table
from pairgen.report.pages.token_pairs import Chosen, Completion, TokenPair

STEPS = (0.1, 0.3, 1.0, 3.0)
"""Changes in nats from which on the color is the next one."""

MOST_TOKENS = 320
"""Tokens of a completion that are shown; of a longer one, those around the edit."""

BEFORE = 4
"""Tokens before the edit that are shown of rejected, where it begins as chosen does."""

MARKS = {" ": "·", "\n": "↵", "\t": "⇥"}
"""White space as it is shown."""


def tokens_view(chosen: Chosen) -> Html:
    """The pairs with a key, and notes on runs that cannot be shown."""
    pairs = [_pair(pair) for pair in chosen.pairs]
    return join([_key() if pairs else None, *pairs, paragraphs(*chosen.notes, class_="note")])


def _key() -> Html:
    """How to read the tokens, and the scale of the colors."""
    example = _token("token", -0.25, -1.5, True)
    text = (
        "Above each token: its log-prob under the reference model, in gray, and under the trained model. Below it: the "
        "change, trained minus reference. All in nats. The tokens of the edit have a frame."
    )
    names = [f"{low:g} to {high:g}" for low, high in pairwise(STEPS)]
    names.append(f"{STEPS[-1]:g} or more")
    falls = [
        element("span", f"fall of {name}" if at == 4 else name, class_=f"fall-{at}") for at, name in enumerate(names, 1)
    ]
    rises = [
        element("span", f"rise of {name}" if at == 4 else name, class_=f"rise-{at}") for at, name in enumerate(names, 1)
    ]
    same = element("span", f"less than {STEPS[0]:g}", class_="same")
    scale = element("div", *reversed(falls), same, *rises, class_="key-row")
    return join(
        [
            element(
                "div", element("div", example, class_="tokens"), element("p", text, class_="note"), class_="key-box"
            ),
            scale,
        ]
    )


def _pair(pair: TokenPair) -> Html:
    title = element("h4", f"{pair.why[:1].upper()}{pair.why[1:]}")
    known = element("p", pair.prompt, class_="text prompt") if pair.prompt is not None else None
    unknown = None if known else paragraphs("The dataset with its prompt is not at hand.", class_="note")
    flows: list[Html] = []
    for side, by_run in pair.sides.items():
        if by_run:
            flows.append(element("h5", side.capitalize()))
        for name, completion in by_run.items():
            shared = _shared_start(pair, name) if side == "rejected" else 0
            flows.append(_flow(name, completion, shared))
    return element(
        "div",
        title,
        element("p", code(pair.pair_id), class_="note"),
        known,
        unknown,
        *flows,
        _sums(pair),
        class_="token-pair",
    )


def _shared_start(pair: TokenPair, run: str) -> int:
    """How many tokens of rejected are not shown because they are those of chosen, with the same log-probs."""
    one, other = pair.sides["chosen"][run], pair.sides["rejected"][run]
    count = one.edit[0] - BEFORE
    if count < BEFORE or other.edit[0] != one.edit[0] or [*one.texts[:count]] != [*other.texts[:count]]:
        return 0
    near = np.allclose(one.policy[:count], other.policy[:count], atol=5e-3) and np.allclose(
        one.reference[:count], other.reference[:count], atol=5e-3
    )
    return count if near else 0


def _flow(name: str, completion: Completion, shared: int) -> Html:
    """A completion as a flow of tokens.

    Args:
        name: of the run.
        shared: tokens at the beginning that are not shown.
    """
    first, last = _window(completion, shared)
    start, stop = completion.edit
    notes = {
        "before": f"{shared:,} tokens as in chosen …"
        if first == shared and shared
        else _omitted(completion, shared, first, True),
        "after": _omitted(completion, last, len(completion.texts), False),
    }
    tokens = [
        _token(text, reference, policy, start <= at < stop)
        for at, (text, reference, policy) in enumerate(
            zip(completion.texts, completion.reference, completion.policy, strict=True)
        )
        if first <= at < last
    ]
    parts = [_note(notes["before"]), *_with_breaks(tokens, completion.texts[first:last]), _note(notes["after"])]
    total = f"{signed(completion.parts()[-1])} nats"
    heading = element("p", join([element("b", name), " ", total]), class_="label run")
    return join([heading, element("div", *parts, class_="tokens")])


def _window(completion: Completion, shared: int) -> tuple[int, int]:
    """First and, exclusive, last token that is shown."""
    count, start = len(completion.texts), completion.edit[0]
    if count - shared <= MOST_TOKENS:
        return shared, count
    first = max(shared, min(start - MOST_TOKENS // 3, count - MOST_TOKENS))
    return first, first + MOST_TOKENS


def _omitted(completion: Completion, first: int, last: int, before: bool) -> str:
    if last <= first:
        return ""
    text = f"{last - first:,} more tokens, {signed(float(completion.changes[first:last].sum()))} nats in all"
    return f"{text} …" if before else f"… {text}"


def _note(text: str) -> Html | None:
    return element("span", text, class_="same-start") if text else None


def _with_breaks(tokens: list[Html], texts: Sequence[str]) -> Iterator[Html]:
    """The tokens, with a new line where the text has one, before or after its token, but at the beginning."""
    for at, (made, text) in enumerate(zip(tokens, texts, strict=True)):
        if at and text.startswith("\n") and text.strip("\n"):
            yield element("span", class_="break")
        yield made
        if text.endswith("\n") and any(before.strip() for before in texts[: at + 1]):
            yield element("span", class_="break")


def _token(text: str, reference: float, policy: float, is_edit: bool) -> Html:
    change = policy - reference
    return element(
        "span",
        element("span", number(reference), class_="r"),
        element("span", number(policy), class_="p"),
        element("b", *_visible(text), class_=shade(change)),
        element("span", signed(change), class_="d"),
        class_="token edit" if is_edit else "token",
    )


def _visible(text: str) -> Iterator[Child]:
    """A token with marks for white space."""
    plain = ""
    for letter in text or "…":
        if letter in MARKS or not text:
            if plain:
                yield plain
            plain = ""
            yield element("i", MARKS.get(letter, letter))
        else:
            plain += letter
    if plain:
        yield plain


def shade(change: float) -> str:
    """The class of a change in nats: ``same``, or ``fall-1`` to ``rise-4``."""
    step = sum(abs(change) >= limit for limit in STEPS)
    return f"{'rise' if change > 0 else 'fall'}-{step}" if step else "same"


def number(value: float) -> str:
    """Two decimals, with a minus sign, and without a negative zero."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def signed(value: float) -> str:
    """The same with a plus sign for positive numbers."""
    text = number(value)
    return text if text == "0.00" or text[0] == "−" else f"+{text}"


def _sums(pair: TokenPair) -> Html:
    """The change of each completion before, at and after the edit."""
    rows: list[list[Child]] = [
        [side, name, *map(signed, completion.parts())]
        for side, by_run in pair.sides.items()
        for name, completion in by_run.items()
    ]
    heads = ["completion", "run", "before the edit", "at the edit", "after the edit", "log-ratio"]
    return table("Change of the log-prob, in nats", heads, rows, [False, False, True, True, True, True])
