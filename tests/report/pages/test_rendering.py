"""The page in a browser: nothing is wider than the page, and its script works. With Chromium, or skipped."""

import html
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from helpers.logged_runs import make_run
from helpers.studies_on_disk import write_study
from typer.testing import Result

from pairgen.pairs.dataset import open_pairs
from pairgen.pairs.writing import DatasetWriter
from pairgen.run_folder import PAIRS
from pairgen.run_folder.measured import SCORED, write_table

Run = Callable[..., Result]

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

MEASURE = """
const found = { wide: [], errors: [], width: innerWidth, page: document.documentElement.scrollWidth };
const inBox = (node) => node.parentElement && (node.parentElement.closest(".scroll") !== null);
for (const node of document.body.querySelectorAll("*")) {
  const box = node.getBoundingClientRect();
  if (box.width && box.right > innerWidth + 1 && !inBox(node) && !node.closest("svg"))
    found.wide.push(node.tagName + "." + node.className + ": " + node.textContent.slice(0, 40));
}
const boxes = [...document.querySelectorAll(".scroll")];
found.scrolling = boxes.filter((box) => box.scrollWidth > box.clientWidth + 1).length;
found.shown = [...document.querySelectorAll(".pair")].filter((pair) => pair.offsetParent !== null).length;
found.ink = getComputedStyle(document.body).color;
found.paper = getComputedStyle(document.body).backgroundColor;
const small = [...document.querySelectorAll(".token b")].filter((node) => node.scrollWidth > node.clientWidth + 1);
found.cut = small.map((node) => node.textContent);
const next = document.querySelector(".pager button:last-of-type");
if (next) {
  const first = () => [...document.querySelectorAll(".pair")].findIndex((pair) => pair.offsetParent !== null);
  next.click();
  found.second = first();
  const search = document.querySelector(".controls input");
  search.value = "zebra";
  search.dispatchEvent(new Event("input"));
  found.matching = document.querySelector(".controls output").textContent;
}
parent.postMessage(JSON.stringify(found), "*");
"""

FRAME = """
<!doctype html><body><pre id="measured"></pre><script>
addEventListener("message", (event) => { document.getElementById("measured").textContent = event.data; });
</script><iframe src="{page}" style="width:{width}px;height:900px;border:0"></iframe></body>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    """Chromium, or what PAIRGEN_CHROMIUM names. Without either, tests are skipped; without what is named, they fail."""
    named = os.environ.get("PAIRGEN_CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    if found is None and named:
        pytest.fail(f"PAIRGEN_CHROMIUM={named}: no such program")
    if found is None:
        pytest.skip("install Chromium, or name it in PAIRGEN_CHROMIUM, to run this test")
    return found


def shown(browser: str, page: Path, arguments: Sequence[str] = ()) -> str:
    """The elements of a page after its scripts ran."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"]
    command += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=10000", *arguments]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=180, check=True)
    return done.stdout


def measured(browser: str, page: Path, width: int, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """What ``MEASURE`` finds in a page, in a frame of a width; a window of Chromium may not be as narrow."""
    source = page.read_text("utf-8")
    copy = page.with_name(f"{page.stem}-{width}.html")
    unlocked = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)  # it forbids this script, too
    frame = page.with_name(f"frame-{width}.html")
    frame.write_text(FRAME.replace("{page}", copy.name).replace("{width}", str(width)), "utf-8")
    copy.write_text(unlocked.replace("</body>", f"<script>{MEASURE}</script></body>"), "utf-8")
    match = re.search('<pre id="measured">(.+?)</pre>', shown(browser, frame, arguments), re.DOTALL)
    assert match
    found: dict[str, Any] = json.loads(html.unescape(match[1]))
    return found


def write_pairs(folder: Path, pair_ids: Sequence[str]) -> None:
    """Log-probs of 80 tokens, and of one that is wider than a phone."""
    texts = [*(f" word{at}" for at in range(78)), " " + "long" * 40, "</s>"]
    logps = [-0.1 * (at % 40) for at in range(80)]
    row = {"split": "eval", "dataset": "d", "edit_start": 40, "chosen_edit_stop": 42, "rejected_edit_stop": 42}
    for side in ("chosen", "rejected"):
        row |= {side: [value - 1.5 for value in logps], f"reference_{side}": logps, f"{side}_tokens": texts}
    write_table(pa.Table.from_pylist([{**row, "pair_id": name} for name in pair_ids], SCORED), folder / PAIRS)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with long words, two runs and a study in one page."""
    from typer.testing import CliRunner

    from pairgen.cli import load_app

    folder = tmp_path_factory.mktemp("page")

    def run(*arguments: object) -> None:
        result = CliRunner().invoke(load_app(), [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output

    long = "x" * 300
    rows = [
        {
            "question": f"What is {at} + 2? {long}",
            "answer": f"{at} * 3 = {at * 3}; {at * 3} + 1 = {at * 3 + 1}, a zebra {long}.",
        }
        for at in range(30)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run(
        *("build", "solutions", "--source", folder / "rows.jsonl", "--columns", "solution=answer"),
        "--out",
        folder / "own",
    )
    run("build", "arc", "--source", "sample:60", "--out", folder / "arc")
    for loss in ("dpo", "dpop"):
        make_run(folder / f"{loss}-{'0123456789' * 9}", loss)
        write_pairs(folder / f"{loss}-{'0123456789' * 9}", ["a", "b", "c"])
    write_study(folder / "study")
    folders = [folder / "own", folder / "arc", *sorted(folder.glob("dpo*")), folder / "study"]
    run("report", *folders, "--out", folder / "page.html")
    return folder / "page.html"


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_page(browser: str, page: Path, width: int) -> None:
    found = measured(browser, page, width)
    assert found["width"] == width
    assert found["wide"] == []
    assert found["cut"] == []
    assert found["page"] <= width
    assert found["scrolling"] > 0 or width > 1000
    assert found["shown"] == 20  # the first page of each sample
    assert found["second"] == 10
    assert found["matching"] == "30 of 30 pairs"


@pytest.mark.slow
def test_the_policy_lets_only_the_script_of_the_page_run(browser: str, page: Path) -> None:
    assert "1 to 10 of 30" in shown(browser, page)
    other = page.with_name("other.html")
    other.write_text(page.read_text("utf-8").replace("const SIZE = 10", "const SIZE = 5"), "utf-8")
    assert "1 to 5 of 30" not in shown(browser, other)


@pytest.mark.slow
def test_light_and_dark(browser: str, page: Path) -> None:
    light = measured(browser, page, 800)
    dark = measured(browser, page, 801, ["--blink-settings=preferredColorScheme=0"])
    assert (light["ink"], light["paper"]) == ("rgb(28, 28, 26)", "rgb(252, 252, 250)")
    assert (dark["ink"], dark["paper"]) == ("rgb(233, 231, 226)", "rgb(21, 22, 26)")


@pytest.mark.slow
def test_400_000_pairs(tmp_path: Path, run: Run) -> None:
    """Under 5 MB, in under 20 s of a processor's time; what else the machine does is not counted."""
    run("build", "metamath", "--source", "sample:2000", "--out", tmp_path / "some", "--quiet")
    some = open_pairs(tmp_path / "some")["train"].table()
    with DatasetWriter(tmp_path / "many") as writer:
        for time_ in range(1 + 400_000 // len(some)):
            names = {
                key: pa.array([f"{name}-{time_}" for name in some[key].to_pylist()]) for key in ("pair_id", "group_id")
            }
            columns = [names.get(name, some[name]) for name in some.column_names]
            for batch in pa.table(columns, schema=some.schema).to_batches():
                writer.write("train", batch)
        many = writer.commit({"dataset": "metamath", "splits": {"train": {"rows": 400_000, "drops": {}}}})
    assert len(many) >= 400_000
    before, started = time.process_time(), time.perf_counter()
    assert run("report", tmp_path / "many", "--out", tmp_path / "many.html").exit_code == 0
    seconds, wall = time.process_time() - before, time.perf_counter() - started
    size = (tmp_path / "many.html").stat().st_size
    print(f"{len(many):,} pairs: {size / 1e6:.2f} MB in {seconds:.1f} s of processor time, {wall:.1f} s in all")
    assert size < 5e6
    assert seconds < 20
