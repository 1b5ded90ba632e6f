"""Other notations of the same arithmetic: found, verified, and written back as they were."""

import pytest
from helpers.checked import checked
from hypothesis import given
from hypothesis import strategies as st

from pairgen.arithmetic.exact.literals import parse_literal
from pairgen.arithmetic.labels import REASONS
from pairgen.arithmetic.reading.notation import canonical


@pytest.mark.parametrize(
    ("text", "results"),
    [
        *((f"So 3 {sign} 4 = 12 pens.", [("12", "3 * 4")]) for sign in "⋅∙✕∗"),
        ("So 3 • 4 = 12 pens.", [("12", "3 * 4")]),
        ("So 3 * 4 ＝ 12 pens.", [("12", "3 * 4")]),
        *((f"So 3 * 4 ={space}12 pens.", [("12", "3 * 4")]) for space in ("\u00a0", "\u2009", "\u202f", "\t")),
        ("So 3 * 4 = **12** pens.", [("12", "3 * 4")]),
        ("So **3 * 4 = 12** pens.", [("12", "3 * 4")]),
        ("It is 3 * ₹40 = ₹120.", [("120", "3 * 40")]),
        ("It is 3 * Rs. 40 = Rs. 120.", [("120", "3 * 40")]),
        ("It is 3 * US$40 = US$120.", [("120", "3 * 40")]),
        ("It is 4 * 3,000 = 12'000.", [("12'000", "4 * 3000")]),
        ("It is 4 * 3,000 = 12_000.", [("12_000", "4 * 3000")]),
        ("It is 4 * 2,5 = 10, and 10 + 2,5 = 12,5.", [("10", "4 * 2.5"), ("12,5", "10 + 2.5")]),
    ],
)
def test_a_result_in_another_notation_is_verified(text: str, results: list[tuple[str, str]]) -> None:
    assert [(written, found.replace("*", " * ").replace("  ", " ")) for written, found in checked(text)] == results


@pytest.mark.parametrize(
    "text",
    [
        "They sold 1,500 of 2,500 pens.",
        "2 ** 3 and a * b",
        "snake_case and 3__4",
        "It's 5 o'clock",
        "$[-11+1,3+1] = \\boxed{[-10,4]}$",
        "Mrs. Rs and USDA",
    ],
)
def test_text_in_the_usual_notation_stays(text: str) -> None:
    assert canonical(text) == text


@given(st.text(st.sampled_from("0123456789.,'_ \u00a0\u2009−⋅•∙✕＝=+*()$₹%RsUS½x\n"), max_size=40))
def test_positions_stay(text: str) -> None:
    assert len(canonical(text)) == len(text)


@pytest.mark.parametrize(
    "text", ["−5", "12'000", "12_000", "2,5", "1.500,25", "2½", "½", "-¾", "−1.500,5", "1\u202f500"]
)
def test_literals_are_written_as_they_were_read(text: str) -> None:
    literal = parse_literal(text)
    assert literal is not None
    assert str(literal) == text
    assert literal.fits()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("−5", (-5, 1)),
        ("12'000", (12000, 1)),
        ("2,5", (25, 10)),
        ("1.500,25", (150025, 100)),
        ("2½", (5, 2)),
        ("½", (1, 2)),
    ],
)
def test_values_of_literals_in_other_notations(text: str, value: tuple[int, int]) -> None:
    literal = parse_literal(text)
    assert literal is not None
    assert literal.value[0] * value[1] == value[0] * literal.value[1]


@pytest.mark.parametrize("text", ["0½", " ½", "1'00", "12'000_000", "1,500", "2,", ",5"])
def test_other_texts_are_no_such_literals(text: str) -> None:
    literal = parse_literal(text)
    assert literal is None or literal.point == "."


@pytest.mark.parametrize("dash", "−‐‑‒–—―－")
@pytest.mark.parametrize("space", ["", " "])
@given(first=st.integers(1, 40), second=st.integers(1, 40))
def test_a_dash_after_an_equals_sign_is_a_minus(dash: str, space: str, first: int, second: int) -> None:
    text = f"It falls to {first} - {first + second} = {dash}{space}{second} degrees."
    ((literal, check),) = checked(text)
    if space:
        assert (literal, check) == (str(second), f"-({first} - {first + second})")
    else:
        assert (literal, check) == (f"{dash}{second}", f"{first} - {first + second}")
        parsed = parse_literal(literal)
        assert parsed is not None
        assert (parsed.value, str(parsed)) == ((-second, 1), literal)


@pytest.mark.parametrize("dash", "‐‑‒–—―")
def test_a_dash_is_not_passed_over(dash: str) -> None:
    for text in (f"10 {dash} 5 + 3 = 8", f"10{dash}5 + 3 = 8", f"It drops {dash} 3 + 4 = 7", f"3 + 4 = {dash} 7"):
        for literal, check in checked(text):
            assert check in REASONS or (literal, check.replace(" ", "")) == ("8", "10-5+3"), text
