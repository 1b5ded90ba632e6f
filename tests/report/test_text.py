"""Numbers and untrusted texts as they are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairgen.report.text import MAX_LINE, format_number, format_share, safe_text, shorten


@given(st.floats(0, 1e10))
def test_numbers_take_six_characters(value: float) -> None:
    assert len(format_share(min(value, 1))) <= 6
    assert len(format_number(value)) <= (6 if value < 9_999_500_000 else 7)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0.00%"), (0.0044, "0.44%"), (0.09994, "9.99%"), (0.634, "63.4%"), (1, "100.0%")],
)
def test_format_share(value: float | None, shown: str) -> None:
    assert format_share(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (3, "3"),
        (1.25, "1.25"),
        (368.4, "368"),
        (12_345.6, "12,346"),
        (123_456, "123k"),
        (10_000_000, "10M"),
    ],
)
def test_format_number(value: float | None, shown: str) -> None:
    assert format_number(value) == shown


def test_safe_text_keeps_markup_and_escapes_controls() -> None:
    assert safe_text("[red]a[/] :smile:\x1b[2J\u202eb").plain == "[red]a[/] :smile:\\x1b[2J\\u202eb"


def test_surrogates_can_be_printed() -> None:
    """They are in file names that are not UTF-8."""
    assert safe_text("a\udcff").plain.encode() == rb"a\udcff"


def test_safe_text_keeps_emoji_and_combining_marks() -> None:
    assert safe_text("👩\u200d👧 e\u0301 न\u093f\tx\n").plain == "👩\u200d👧 e\u0301 न\u093f\tx\n"


def test_shorten_counts_what_it_leaves_out() -> None:
    assert shorten("a" * MAX_LINE).plain == "a" * MAX_LINE
    assert shorten("abcdefghij", 4).plain == "ab [... 6 characters ...] ij"
    assert shorten("a" * 1000, None).plain == "a" * 1000
