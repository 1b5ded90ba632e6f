"""Write EVIDENCE.md, and the figures beside it, from the reports of studies and of other commands.

    python tests/bench/evidence.py STUDIES...

Each of STUDIES is a folder that ``pairgen study --out`` filled. A report is taken over as it is, one level down; notes
that are not from a study, such as those of ``bench_eval.py``, stay as they are between the marks of the file.
"""

import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILE, FIGURES = HERE / "EVIDENCE.md", HERE / "evidence"
START, STOP = "<!-- studies -->", "<!-- end of studies -->"


def shifted(report: str, name: str) -> str:
    """A report with its headings one level down, its scale in the first, and its figures in a folder of its own."""
    title, _, rest = report.partition("\n")
    text = re.sub(r"^(#+) ", r"#\1 ", f"{title} ({name.rpartition('-')[2]} scale)\n{rest}", flags=re.MULTILINE)
    return text.replace("](figures/", f"](evidence/{name}/")


def entry(report: str) -> str:
    """A line of the table of contents: the title, linked, and the first thing that was shown."""
    title = report.partition("\n")[0].removeprefix("## ")
    anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    shown = report.partition("### What was shown\n\n- ")[2].partition("\n")[0]
    return f"- [{title}](#{anchor}). {shown}"


def main() -> None:
    reports = {file.parent.name: file for folder in sys.argv[1:] for file in sorted(Path(folder).glob("*/report.md"))}
    if not reports:
        raise SystemExit(f"no report in {', '.join(sys.argv[1:]) or 'no folder'}; run `pairgen study` first")
    shutil.rmtree(FIGURES, ignore_errors=True)
    parts = []
    for name, file in reports.items():
        for figure in sorted(file.parent.glob("figures/*.svg")):
            (FIGURES / name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(figure, FIGURES / name / figure.name)
        parts.append(shifted(file.read_text("utf-8"), name))
    before, found, rest = FILE.read_text("utf-8").partition(START)
    after = rest.partition(STOP)[2]
    if not found or not after:
        raise SystemExit(f"{FILE}: the marks {START} and {STOP} are missing")
    contents = "\n".join(map(entry, parts))
    FILE.write_text(f"{before}{START}\n\n{contents}\n\n{''.join(parts)}\n{STOP}{after}", "utf-8")
    print(f"{FILE.name}: {', '.join(reports)}")


if __name__ == "__main__":
    main()
