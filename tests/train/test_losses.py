"""Every loss against values computed by hand, against a second implementation, and its mathematical properties."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pairgen.train.config import OPTIONS, Config
from pairgen.train.losses import LOSSES, dpop_penalty
from pairgen.train.scores.pair_logps import PairLogps

DPOP_FORMS, DPOP_LEVELS, IPO_LEVELS = (
    OPTIONS[name].metadata["choices"] for name in ("dpop_form", "dpop_level", "ipo_level")
)

# Every loss with every form it has: the properties below are tested for all of them.
VARIANTS: list[tuple[str, dict[str, str]]] = [
    *(("dpop", {"dpop_form": form, "dpop_level": level}) for form in DPOP_FORMS for level in DPOP_LEVELS),
    *(("ipo", {"ipo_level": level}) for level in IPO_LEVELS),
    *((name, {}) for name in LOSSES if name not in ("dpop", "ipo")),
]
DPOP = [forms for name, forms in VARIANTS if name == "dpop"]
REFERENCED = [variant for variant in VARIANTS if LOSSES[variant[0]].needs_reference]


def named(variant: object) -> str:
    if isinstance(variant, dict):
        return "-".join(variant.values()) or "plain"
    return str(variant)


over_variants = pytest.mark.parametrize(("name", "forms"), VARIANTS, ids=named)
over_dpop = pytest.mark.parametrize("forms", DPOP, ids=named)


@dataclass
class Case:
    """One pair as plain numbers: token log-probs of chosen, sums for rejected."""

    tokens: list[float]
    reference_tokens: list[float]
    rejected: float
    reference_rejected: float
    rejected_length: int = 2
    baseline: float = 0.0


def case_logps(*cases: Case, references: bool = True) -> PairLogps:
    """The cases as one batch in float64; all of the log-prob of rejected is on its first token."""
    longest = max(max(len(case.tokens), case.rejected_length) for case in cases)

    def padded(lists: list[list[float]]) -> Tensor:
        return torch.tensor([[*row, *[0.0] * (longest - len(row))] for row in lists], dtype=torch.float64)

    policy = padded([*(case.tokens for case in cases), *([case.rejected] for case in cases)])
    reference = padded([*(c.reference_tokens for c in cases), *([c.reference_rejected] for c in cases)])
    lengths = [*(len(case.tokens) for case in cases), *(case.rejected_length for case in cases)]
    return pair_logps(policy, reference if references else None, lengths, baseline=cases[0].baseline)


def pair_logps(policy: Tensor, reference: Tensor | None, lengths: Any, **more: Any) -> PairLogps:
    """Log-probs of completions with these lengths and no edit."""
    mask = torch.arange(policy.shape[1]) < torch.as_tensor(lengths)[:, None]
    return PairLogps(policy, reference, mask, torch.zeros(len(policy), 2, dtype=torch.int64), **more)


def column(values: Tensor, width: int) -> Tensor:
    """[P, width] log-probs of completions whose sums are on the first token."""
    return torch.nn.functional.pad(values[:, None], (0, width - 1))


def loss(name: str, case: Case, **forms: Any) -> float:
    """The loss of one pair."""
    return float(LOSSES[name].function(case_logps(case), Config(**forms))[0])


# w = -2, rw = -1.5, l = -3, rl = -2: log-ratios -0.5 and -1, d = 0.5, p = 0.5; token by token p = 0.2 + 0.3 + 0 + 0.1
BY_HAND = Case([-0.5, -0.9, -0.2, -0.4], [-0.3, -0.6, -0.3, -0.3], -3.0, -2.0, rejected_length=2, baseline=0.2)
HYPERPARAMETERS = {
    "beta": 0.5,
    "dpop_lambda": 3.0,
    "rpo_alpha": 3.0,
    "bdpo_lambda": 0.25,
    "dpo_shift_factor": 0.5,
    "cal_dpo_weight": 0.5,
    "simpo_gamma": 0.25,
    "cpo_alpha": 2.0,
    "kto_desirable": 2.0,
    "kto_undesirable": 3.0,
}


@pytest.mark.parametrize(
    ("name", "forms", "expected"),
    [
        ("dpo", {}, 0.5759394),  # ln(1 + e^-0.25)
        ("dpop", {"dpop_form": "inside", "dpop_level": "completion"}, 0.9740770),  # ln(1 + e^0.5), 0.5 (0.5 - 3 * 0.5)
        ("dpop", {"dpop_form": "outside", "dpop_level": "completion"}, 2.0759394),  # ln(1 + e^-0.25) + 3 * 0.5
        ("dpop", {"dpop_form": "inside", "dpop_level": "token"}, 1.0700553),  # ln(1 + e^0.65), 0.5 (0.5 - 3 * 0.6)
        ("dpop", {"dpop_form": "outside", "dpop_level": "token"}, 2.3759394),  # ln(1 + e^-0.25) + 3 * 0.6
        ("ipo", {"ipo_level": "token"}, 0.390625),  # (-0.5/4 + 1/2 - 1)^2
        ("ipo", {"ipo_level": "completion"}, 0.25),  # (0.5 - 1)^2
        ("hinge", {}, 0.75),  # 1 - 0.5 * 0.5
        ("rpo", {}, 2.0759394),  # ln(1 + e^-0.25) + 3 * 2/4
        ("bdpo", {}, 0.7785024),  # ln(1 + e^0.1639945), 0.5 (-0.5 - ln(0.25 e^-1 + 0.75)), ln 0.8419699 = -0.1720110
        ("dpo-shift", {}, 0.6931472),  # ln(1 + e^0), 0.5 (-0.5 - 0.5 * -1)
        ("cal-dpo", {}, 1.5990770),  # ln(1 + e^-0.5) + 0.5 ((-0.5 - 1)^2 + (-1 + 1)^2)
        ("apo-zero", {}, 0.9397172),  # 1 - sigmoid(-0.25) + sigmoid(-0.5) = 0.5621765 + 0.3775407
        ("simpo", {}, 0.5759394),  # ln(1 + e^-0.25), 0.5 (-2/4 + 3/2) - 0.25
        ("kto", {}, 1.1181331),  # (2 (1 - sigmoid(0.5 * -0.7)) + 3 (1 - sigmoid(0.5 * 1.2))) / 2
        ("cpo", {}, 1.4740770),  # ln(1 + e^-0.5) + 2 * 2/4
        ("aft", {}, 0.8132617),  # ln(1 + e^-1) + 2/4
        ("sft", {}, 0.5),  # 2/4
    ],
    ids=named,
)
def test_losses_equal_values_computed_by_hand(name: str, forms: dict[str, str], expected: float) -> None:
    assert loss(name, BY_HAND, **HYPERPARAMETERS, **forms) == pytest.approx(expected, abs=1e-6)


def second_implementation(name: str, case: Case, o: Config) -> float:
    """The formulas again, in plain floats, from the papers: sigmoids written out, one pair at a time."""

    def log_one_plus_exp(x: float) -> float:
        return float(np.logaddexp(0.0, x))

    w, rw, l, rl = sum(case.tokens), sum(case.reference_tokens), case.rejected, case.reference_rejected  # noqa: E741
    d = (w - rw) - (l - rl)
    tokens, other = len(case.tokens), case.rejected_length
    if name == "dpop":
        falls = [r - t for t, r in zip(case.tokens, case.reference_tokens, strict=True)]
        p = sum(x for x in falls if x > 0) if o.dpop_level == "token" else max(0.0, rw - w)
        if o.dpop_form == "inside":
            return log_one_plus_exp(-o.beta * (d - o.dpop_lambda * p))
        return log_one_plus_exp(-o.beta * d) + o.dpop_lambda * p
    if name == "ipo":
        h = d if o.ipo_level == "completion" else (w - rw) / tokens - (l - rl) / other
        return (h - 0.5 / o.beta) ** 2
    if name == "kto":
        good = o.kto_desirable * (1 - 1 / (1 + math.exp(-o.beta * (w - rw - case.baseline))))
        bad = o.kto_undesirable * (1 - 1 / (1 + math.exp(-o.beta * (case.baseline - (l - rl)))))
        return (good + bad) / 2
    if name == "bdpo":  # the mixture by its terms: exact unless both are 0
        mixture = o.bdpo_lambda * math.exp(l - rl) + (1 - o.bdpo_lambda)
        bounded = math.log(mixture) if mixture else l - rl
        return log_one_plus_exp(-o.beta * (w - rw - bounded))
    return {
        "dpo": log_one_plus_exp(-o.beta * d),
        "rpo": log_one_plus_exp(-o.beta * d) - o.rpo_alpha * w / tokens,
        "dpo-shift": log_one_plus_exp(-o.beta * (w - rw) + o.beta * o.dpo_shift_factor * (l - rl)),
        "cal-dpo": log_one_plus_exp(-d)
        + o.cal_dpo_weight * ((w - rw - 0.5 / o.beta) ** 2 + (l - rl + 0.5 / o.beta) ** 2),
        "apo-zero": 1 - 1 / (1 + math.exp(-o.beta * (w - rw))) + 1 / (1 + math.exp(-o.beta * (l - rl))),
        "simpo": log_one_plus_exp(o.simpo_gamma - o.beta * (w / tokens - l / other)),
        "hinge": max(0.0, 1 - o.beta * d),
        "cpo": log_one_plus_exp(-o.beta * (w - l)) - o.cpo_alpha * w / tokens,
        "aft": log_one_plus_exp(l - w) - w / tokens,
        "sft": -w / tokens,
    }[name]


few = settings(deadline=None, max_examples=30)

nats = st.floats(-8.0, 0.0)
sums = st.floats(-40.0, 0.0)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 5))
    token_lists = st.lists(nats, min_size=count, max_size=count)
    return Case(
        draw(token_lists),
        draw(token_lists),
        draw(sums),
        draw(sums),
        rejected_length=draw(st.integers(1, 6)),
        baseline=draw(st.floats(0.0, 5.0)),
    )


weights = st.floats(0.0, 3.0)
shares = st.floats(0.01, 1.0)
options = st.builds(
    Config,
    beta=st.floats(0.05, 1.0),
    dpop_lambda=st.floats(0.0, 60.0),
    dpop_form=st.sampled_from(DPOP_FORMS),
    dpop_level=st.sampled_from(DPOP_LEVELS),
    ipo_level=st.sampled_from(IPO_LEVELS),
    rpo_alpha=weights,
    bdpo_lambda=shares,
    dpo_shift_factor=shares,
    cal_dpo_weight=weights,
    simpo_gamma=weights,
    cpo_alpha=weights,
    kto_desirable=weights,
    kto_undesirable=weights,
)


@pytest.mark.parametrize("name", LOSSES)
@few
@given(made=st.lists(cases(), min_size=1, max_size=4), forms=options)
def test_losses_equal_a_second_implementation(name: str, made: list[Case], forms: Config) -> None:
    made = [replace(case, baseline=made[0].baseline) for case in made]
    found = LOSSES[name].function(case_logps(*made), forms)
    assert found.shape == (len(made),)
    assert found.tolist() == pytest.approx(
        [second_implementation(name, case, forms) for case in made], rel=1e-9, abs=1e-9
    )
    assert (found >= 0).all()


@over_variants
def test_gradients_equal_finite_differences(name: str, forms: dict[str, str]) -> None:
    """Token log-probs, their references and rejected, in float64. No kink is near: every fall is 0.05 or more."""
    draw = np.random.default_rng(5)
    pairs, length = 6, 4
    reference = draw.uniform(-2, -0.1, (pairs, length))
    falls = draw.uniform(0.05, 0.6, (pairs, length)) * draw.choice([-1.0, 1.0], (pairs, length))
    inputs = (reference - falls, reference, draw.uniform(-9, -1, pairs), draw.uniform(-9, -1, pairs))
    lengths = [*[length] * pairs, *range(1, pairs + 1)]
    assert (np.abs(falls.sum(1)) > 0.01).all()
    assert {*np.sign(falls.sum(1))} == {-1, 1}

    def of_numbers(tokens: Tensor, reference_tokens: Tensor, rejected: Tensor, reference_rejected: Tensor) -> Tensor:
        policy = torch.cat([tokens, column(rejected, length)])
        reference = torch.cat([reference_tokens, column(reference_rejected, length)])
        mask_width = torch.nn.functional.pad(policy, (0, 2)), torch.nn.functional.pad(reference, (0, 2))
        return LOSSES[name].function(pair_logps(*mask_width, lengths, baseline=0.3), Config(dpop_lambda=5.0, **forms))

    variables = [torch.tensor(values, requires_grad=True) for values in inputs]
    assert torch.autograd.gradcheck(of_numbers, variables)


@over_variants
def test_needs_reference_matches_the_function(name: str, forms: dict[str, str]) -> None:
    function, needs_reference = LOSSES[name].function, LOSSES[name].needs_reference
    without = case_logps(BY_HAND, references=False)
    if needs_reference:
        with pytest.raises(TypeError, match="needs reference log-probs"):
            function(without, Config(**forms))
    else:
        assert torch.equal(function(without, Config(**forms)), function(case_logps(BY_HAND), Config(**forms)))


@pytest.mark.parametrize("name", LOSSES)
def test_summaries_are_one_line(name: str) -> None:
    assert LOSSES[name].summary.strip()
    assert "\n" not in LOSSES[name].summary
    assert LOSSES[name].function.__name__ == name.replace("-", "_")


def test_every_option_belongs_to_one_loss() -> None:
    named_options = [option for entry in LOSSES.values() for option in entry.options]
    assert len(named_options) == len(set(named_options))
    assert set(named_options) <= set(OPTIONS)


@over_variants
@pytest.mark.parametrize("far", [(-6000.0, -1.0), (-1.0, -6000.0), (-6000.0, -6000.0)])
def test_losses_stay_finite_for_extreme_log_probs(name: str, forms: dict[str, str], far: tuple[float, float]) -> None:
    policy = torch.tensor([[far[0], 0.0], [far[1], 0.0]], requires_grad=True)
    reference = torch.tensor([[-3.0, -4.0], [-5.0, 0.0]])
    found = LOSSES[name].function(pair_logps(policy, reference, [2, 2]), Config(**forms))
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(policy.grad).all()


# Policy and reference are equal


@pytest.mark.parametrize(
    ("name", "forms", "expected"),
    [
        ("dpo", {}, math.log(2)),
        *(("dpop", forms, math.log(2)) for forms in DPOP),
        *(("ipo", {"ipo_level": level}, (1 / (2 * 0.3)) ** 2) for level in IPO_LEVELS),
        ("hinge", {}, 1.0),
        ("bdpo", {}, math.log(2)),
        ("dpo-shift", {}, math.log(2)),
        ("cal-dpo", {}, math.log(2) + 2 * (1 / (2 * 0.3)) ** 2),
        ("apo-zero", {}, 1.0),
        ("kto", {}, 0.5),
    ],
    ids=named,
)
@few
@given(case=cases())
def test_values_where_policy_equals_reference(name: str, forms: dict[str, str], expected: float, case: Case) -> None:
    same = replace(case, tokens=case.reference_tokens, rejected=case.reference_rejected, baseline=0.0)
    assert loss(name, same, **forms) == pytest.approx(expected, abs=1e-12)


@few
@given(case=cases())
def test_rpo_where_policy_equals_reference_is_ln_2_plus_sft(case: Case) -> None:
    same = replace(case, tokens=case.reference_tokens, rejected=case.reference_rejected)
    assert loss("rpo", same) == pytest.approx(math.log(2) + loss("sft", same), abs=1e-12)


def test_every_loss_with_a_reference_is_covered() -> None:
    covered = {"dpo", "dpop", "ipo", "hinge", "kto", "rpo", "bdpo", "dpo-shift", "cal-dpo", "apo-zero"}
    assert {name for name, _ in REFERENCED} == covered


# Monotonicity in chosen and rejected

SQUARED = ("ipo", "cal-dpo")
"""Losses that rise again beyond a target."""


@pytest.mark.parametrize(("name", "forms"), [variant for variant in VARIANTS if variant[0] not in SQUARED], ids=named)
@few
@given(case=cases(), step=st.floats(0.01, 5.0), data=st.data())
def test_losses_are_monotonic_in_chosen_and_rejected(
    name: str, forms: dict[str, str], case: Case, step: float, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(case.tokens) - 1))
    lower = replace(case, tokens=[*case.tokens[:at], case.tokens[at] - step, *case.tokens[at + 1 :]])
    before = loss(name, case, **forms)
    assert loss(name, lower, **forms) >= before
    assert loss(name, replace(case, rejected=case.rejected - step), **forms) <= before


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in SQUARED])
def test_losses_rise_when_chosen_falls(name: str) -> None:
    lower = replace(BY_HAND, tokens=[token - 0.5 for token in BY_HAND.tokens])
    assert loss(name, lower) > loss(name, BY_HAND) + 0.01


@pytest.mark.parametrize("name", [name for name in LOSSES if name not in (*SQUARED, "sft")])
def test_losses_fall_when_rejected_falls(name: str) -> None:
    assert loss(name, replace(BY_HAND, rejected=BY_HAND.rejected - 2.0)) < loss(name, BY_HAND) - 0.01


# DPOP


@over_dpop
@few
@given(case=cases(), beta=st.floats(0.05, 1.0), weight=st.floats(1.0, 60.0), step=st.floats(0.01, 5.0), data=st.data())
def test_dpop_rises_as_chosen_falls_below_the_reference(
    forms: dict[str, str], case: Case, beta: float, weight: float, step: float, data: st.DataObject
) -> None:
    """By at least the gradient times the step: the penalty's slope is lambda, times beta inside the sigmoid."""
    falls = data.draw(st.lists(st.floats(0.01, 4.0), min_size=len(case.tokens), max_size=len(case.tokens)))
    below = [reference - fall for reference, fall in zip(case.reference_tokens, falls, strict=True)]
    at = data.draw(st.integers(0, len(below) - 1))
    case = replace(case, tokens=below)
    lower = replace(case, tokens=[*below[:at], below[at] - step, *below[at + 1 :]])
    before, after = (loss("dpop", one, beta=beta, dpop_lambda=weight, **forms) for one in (case, lower))
    assert after > before
    if forms["dpop_form"] == "outside":
        assert after - before > weight * step * (1 - 1e-9)
    else:  # convex: rises at least by its slope before the step, sigmoid(-x) * beta * (1 + lambda)
        slope = -math.expm1(-before) * beta * (1 + weight)
        assert after - before > slope * step * (1 - 1e-6)


@over_dpop
@few
@given(case=cases(), beta=st.floats(0.05, 1.0))
def test_dpop_with_lambda_0_equals_dpo(forms: dict[str, str], case: Case, beta: float) -> None:
    assert loss("dpop", case, beta=beta, dpop_lambda=0.0, **forms) == loss("dpo", case, beta=beta)


@over_dpop
@few
@given(case=cases(), rise=st.floats(0.0, 4.0))
def test_dpop_at_or_above_the_reference_equals_dpo(forms: dict[str, str], case: Case, rise: float) -> None:
    above = replace(case, tokens=[token + rise for token in case.reference_tokens])
    assert loss("dpop", above, **forms) == pytest.approx(loss("dpo", above), abs=1e-12)


@pytest.mark.parametrize("level", DPOP_LEVELS)
@pytest.mark.parametrize(("form", "low", "high"), [("inside", 7.60, 7.66), ("outside", 50.15, 50.21)])
def test_dpop_gradient_just_below_the_reference(level: str, form: str, low: float, high: float) -> None:
    """At the paper's beta 0.3 and lambda 50: 0.3 * 51 / 2 = 7.65 inside, 0.3 / 2 + 50 = 50.15 outside."""
    reference = torch.tensor([[-1.0, -2.0]], dtype=torch.float64)
    tokens = (reference - 1e-6).requires_grad_()
    rejected = torch.tensor([[-4.0, 0.0]], dtype=torch.float64)
    logps = pair_logps(torch.cat([tokens, rejected]), torch.cat([reference, rejected]), [2, 2])
    config = Config(beta=0.3, dpop_lambda=50.0, dpop_form=form, dpop_level=level)
    LOSSES["dpop"].function(logps, config).sum().backward()
    pull = -tokens.grad
    assert ((low < pull) & (pull < high)).all(), pull


@few
@given(case=cases())
def test_token_level_penalty_is_at_least_the_completion_level(case: Case) -> None:
    of_tokens, of_completion = (
        dpop_penalty(case_logps(case), Config(dpop_level=level)) for level in ("token", "completion")
    )
    assert (of_tokens >= of_completion - 1e-9).all()
    assert (of_completion >= 0).all()


def test_tokens_above_the_reference_offset_others_at_completion_level_only() -> None:
    case = Case([-0.5, -2.0], [-1.0, -1.0], -3.0, -3.0)  # falls -0.5 and 1
    assert dpop_penalty(case_logps(case), Config(dpop_level="completion")).tolist() == [0.5]
    assert dpop_penalty(case_logps(case), Config(dpop_level="token")).tolist() == [1.0]


# IPO and hinge


@pytest.mark.parametrize("beta", [0.1, 0.3, 2.0])
@pytest.mark.parametrize("level", IPO_LEVELS)
def test_ipo_is_minimal_at_its_target_margin(level: str, beta: float) -> None:
    """The margin 1 / (2 beta) is reached by the log-ratio of chosen alone, or per token of its four."""
    reference, rejected = torch.tensor([-3.0], dtype=torch.float64), torch.tensor([-5.0], dtype=torch.float64)
    per_unit = 4 if level == "token" else 1
    forms = Config(beta=beta, ipo_level=level)

    def at(share: float) -> tuple[float, float]:
        chosen = (reference + share * per_unit / (2 * beta)).requires_grad_()
        policy, known = (column(torch.cat([first, rejected]), 4) for first in (chosen, reference))
        found = LOSSES["ipo"].function(pair_logps(policy, known, [4, 2]), forms)
        found.sum().backward()
        return found.item(), chosen.grad.item()

    assert at(1.0) == pytest.approx((0.0, 0.0), abs=1e-12)
    (under, rising), (over, falling) = at(0.5), at(1.5)
    assert under == pytest.approx(1 / (16 * beta**2))
    assert over == pytest.approx(under)
    assert rising < 0 < falling


def test_hinge_is_0_beyond_its_margin() -> None:
    case = Case([-1.0], [-3.0], -5.0, -3.0)  # d = 4
    assert loss("hinge", case, beta=0.25) == 0.0
    assert loss("hinge", replace(case, rejected=-6.0), beta=0.25) == 0.0
    assert loss("hinge", replace(case, rejected=-4.6), beta=0.25) == pytest.approx(0.1)


# RPO, BDPO, DPO-Shift, Cal-DPO, APO and SimPO


@few
@given(case=cases(), beta=st.floats(0.05, 1.0))
def test_losses_equal_dpo_at_the_end_of_their_range(case: Case, beta: float) -> None:
    dpo = pytest.approx(loss("dpo", case, beta=beta), rel=1e-9, abs=1e-12)
    assert loss("rpo", case, beta=beta, rpo_alpha=0.0) == dpo
    assert loss("bdpo", case, beta=beta, bdpo_lambda=1.0) == dpo
    assert loss("dpo-shift", case, beta=beta, dpo_shift_factor=1.0) == dpo
    assert loss("cal-dpo", case, beta=beta, cal_dpo_weight=0.0) == pytest.approx(loss("dpo", case, beta=1.0))


@few
@given(case=cases(), share=st.floats(0.01, 0.99), beta=st.floats(0.05, 1.0), fall=st.floats(0.0, 1000.0))
def test_bdpo_bounds_the_gain_from_rejected(case: Case, share: float, beta: float, fall: float) -> None:
    """However far rejected falls, the loss is at least that of a rejected log-ratio of log(1 - lambda)."""
    lowest = replace(case, rejected=case.reference_rejected + math.log1p(-share))
    fallen = replace(case, rejected=case.rejected - fall)
    assert loss("bdpo", fallen, beta=beta, bdpo_lambda=share) >= loss("dpo", lowest, beta=beta) - 1e-9


def test_bdpo_gradient_on_a_fallen_rejected_vanishes() -> None:
    """Where DPO still pushes it down; both pull chosen up."""
    gradients = {}
    for name in ("dpo", "bdpo"):
        policy = torch.tensor([[-9.0], [-40.0]], dtype=torch.float64, requires_grad=True)
        reference = torch.tensor([[-2.0], [-20.0]], dtype=torch.float64)
        LOSSES[name].function(pair_logps(policy, reference, [1, 1]), Config(beta=0.1)).sum().backward()
        gradients[name] = policy.grad[:, 0].tolist()
    assert gradients["dpo"][1] == pytest.approx(-gradients["dpo"][0])
    assert gradients["bdpo"][0] < -0.05
    assert 0 < gradients["bdpo"][1] < 1e-8


@few
@given(case=cases(), factor=st.floats(0.01, 1.0))
def test_dpo_shift_scales_the_gradient_on_rejected(case: Case, factor: float) -> None:
    policy = torch.tensor([[sum(case.tokens)], [case.rejected]], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor([[sum(case.reference_tokens)], [case.reference_rejected]], dtype=torch.float64)
    LOSSES["dpo-shift"].function(pair_logps(policy, reference, [1, 1]), Config(dpo_shift_factor=factor)).backward()
    chosen, rejected = policy.grad[:, 0].tolist()
    assert rejected == pytest.approx(-factor * chosen)


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_calibration_is_0_at_its_targets(beta: float) -> None:
    case = Case([-3.0 + 1 / (2 * beta)], [-3.0], -4.0 - 1 / (2 * beta), -4.0)
    assert loss("cal-dpo", case, beta=beta, cal_dpo_weight=7.0) == pytest.approx(math.log1p(math.exp(-1 / beta)))


@few
@given(case=cases(), step=st.floats(0.1, 3.0))
def test_apo_scores_each_completion_independently(case: Case, step: float) -> None:
    higher = replace(case, tokens=[case.tokens[0] + step, *case.tokens[1:]])
    lower = replace(case, rejected=case.rejected - step)
    both = replace(higher, rejected=lower.rejected)
    gain = loss("apo-zero", case) - loss("apo-zero", higher) + loss("apo-zero", case) - loss("apo-zero", lower)
    assert loss("apo-zero", case) - loss("apo-zero", both) == pytest.approx(gain, abs=1e-12)


@few
@given(case=cases(), beta=st.floats(0.05, 3.0), gamma=st.floats(0.0, 3.0))
def test_simpo_ignores_length_and_reaches_ln_2_at_its_margin(case: Case, beta: float, gamma: float) -> None:
    longer = replace(case, tokens=case.tokens * 3, reference_tokens=case.reference_tokens * 3)
    assert loss("simpo", longer, beta=beta, simpo_gamma=gamma) == pytest.approx(
        loss("simpo", case, beta=beta, simpo_gamma=gamma)
    )
    at_margin = Case([-1.0, -1.0], [0.0, 0.0], 2 * (-1.0 - gamma / beta), 0.0)
    assert loss("simpo", at_margin, beta=beta, simpo_gamma=gamma) == pytest.approx(math.log(2))


# KTO


@few
@given(case=cases(), higher=st.floats(0.1, 3.0))
def test_kto_scores_each_completion_independently(case: Case, higher: float) -> None:
    """A higher reference point raises the loss of chosen and lowers that of rejected."""
    chosen_alone, rejected_alone = {"kto_undesirable": 0.0}, {"kto_desirable": 0.0}
    other = replace(case, rejected=case.rejected - 1.0)
    moved = replace(case, baseline=case.baseline + higher)
    assert loss("kto", other, **chosen_alone) == loss("kto", case, **chosen_alone)
    assert loss("kto", moved, **chosen_alone) > loss("kto", case, **chosen_alone)
    assert loss("kto", moved, **rejected_alone) < loss("kto", case, **rejected_alone)
    both = loss("kto", case, **chosen_alone) + loss("kto", case, **rejected_alone)
    assert loss("kto", case) == pytest.approx(both)


# SFT, CPO and AFT


@few
@given(case=cases())
def test_sft_ignores_rejected_and_averages_over_tokens(case: Case) -> None:
    assert loss("sft", replace(case, rejected=-99.0)) == loss("sft", case)
    assert loss("sft", replace(case, tokens=case.tokens * 3)) == pytest.approx(loss("sft", case))


@few
@given(case=cases())
def test_cpo_and_aft_are_a_ranking_term_plus_sft(case: Case) -> None:
    """CPO at beta 1 and alpha 1 is AFT; without a reference DPO's term is CPO's at alpha 0."""
    assert loss("cpo", case, beta=1.0, cpo_alpha=1.0) == pytest.approx(loss("aft", case))
    flat = replace(case, reference_tokens=[0.0] * len(case.tokens), reference_rejected=0.0)
    assert loss("cpo", case, cpo_alpha=0.0) == pytest.approx(loss("dpo", flat))


@pytest.mark.parametrize("level", ["completion", "token"])
def test_dpop_penalty_ignores_differences_within_rounding(level: str) -> None:
    """Only where the rounding error is known; a larger difference counts in full."""
    reference = torch.full((3, 2), -250.0, dtype=torch.float64)
    policy = reference - torch.tensor([[0.0, 0.0], [1e-5, 1e-5], [0.01, 0.01]])
    logps = pair_logps(torch.cat([policy, policy]), torch.cat([reference, reference]), [2] * 6)
    config = Config(dpop_level=level)
    assert dpop_penalty(logps, config).tolist() == pytest.approx([0, 2e-5, 0.02], abs=1e-7)
    assert dpop_penalty(replace(logps, rounding=1e-6), config).tolist() == pytest.approx([0, 0, 0.02], abs=1e-7)
