"""The colors of the page: readable in light and in dark."""

import re
from itertools import pairwise

import pytest

from pairgen.report.pages.html.palette import DARK, LIGHT, TEXT_ON, contrast
from pairgen.report.pages.html.script import SCRIPT
from pairgen.report.pages.html.style import STYLE


def test_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the known example just below 4.5


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(colors: dict[str, str]) -> None:
    found = {(ink, paper): contrast(colors[ink], colors[paper]) for ink, papers in TEXT_ON.items() for paper in papers}
    assert not {pair: ratio for pair, ratio in found.items() if ratio < 4.5}


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_steps_of_a_scale_differ(colors: dict[str, str]) -> None:
    """From no change to the largest, each step is darker than the one before on white, and lighter on black."""
    for way in ("fall", "rise"):
        steps = [contrast(colors[f"{way}-{at}"], colors["paper"]) for at in range(1, 5)]
        assert steps == sorted(steps)
        assert all(later / earlier > 1.1 for earlier, later in pairwise(steps))


def test_light_and_dark_have_the_same_names() -> None:
    assert [*LIGHT] == [*DARK]
    assert set(re.findall(r"var\(--([\w-]+)\)", STYLE)) <= LIGHT.keys()


def test_style_and_script_load_nothing() -> None:
    assert not re.search(r"https?:|url\(|@import|@font-face|<", STYLE)
    assert not re.search(r"https?:|fetch|import|eval|innerHTML|outerHTML|insertAdjacent|document\.write|</", SCRIPT)
