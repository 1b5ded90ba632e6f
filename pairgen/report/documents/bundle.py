"""A report as files: ``report.md``, ``report.json`` with all its numbers, and its figures as SVG and PNG."""

import dataclasses
import json
import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from pairgen.errors import in_short, install_hint
from pairgen.report.documents.content import Figure, Report
from pairgen.report.documents.markdown import FOLDER, markdown


def undrawn() -> str:
    """Why figures cannot be drawn, as a sentence with a remedy; empty if they can."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        return f"The figures were not drawn: {in_short(error)}; {install_hint('plot')}."
    return ""


def report_files(report: Report) -> dict[str, bytes]:
    """The files of a report by name, the same bytes every time.

    Without matplotlib there are no figures: ``report.md`` says so, and ``report.json`` has their numbers.
    """
    why = undrawn() if report.figures else ""
    files = {
        "report.md": markdown(report, undrawn=why).encode(),
        "report.json": (json.dumps(report_json(report), indent=2, allow_nan=False) + "\n").encode(),
    }
    return files if why else {**files, **_drawn(report)}


def _drawn(report: Report) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    if report.figures:
        from pairgen.report.documents.drawing import draw

        for figure in report.figures:
            drawing = draw(figure)
            files[f"{FOLDER}/{figure.name}.svg"] = drawing.svg
            files[f"{FOLDER}/{figure.name}.png"] = drawing.png
    return files


def report_json(report: Report) -> dict[str, Any]:
    """A report ready for JSON: its fields by name, a figure with its ``kind``. NaN and the infinities become null."""
    found: dict[str, Any] = _json(report)
    return found


def figure_json(figure: Figure) -> dict[str, Any]:
    """A figure ready for JSON, as in ``report_json``."""
    found: dict[str, Any] = _json(figure)
    return found


def _json(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = {field.name: _json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"kind": type(value).__name__.lower(), **fields} if isinstance(value, Figure) else fields
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    return [_json(item) for item in value]
