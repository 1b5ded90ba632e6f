"""Croissant: the metadata of a dataset as ML Commons defines them, so that dataset searches find its columns' meanings.

One record set per split; its fields are the columns, with the texts of ``record.COLUMNS``. Specification:
Croissant 1.1, https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pairgen.errors import UsageError, install_hint
from pairgen.pairs import card
from pairgen.pairs.record import COLUMNS

CROISSANT = "croissant.json"
ENCODINGS = {".arrow": "application/vnd.apache.arrow.stream", ".parquet": "application/x-parquet"}
"""Media types of the files, by extension."""


def render(manifest: Mapping[str, Any], files: str = card.ARROW_FILES) -> str:
    """``croissant.json`` of a dataset, valid by mlcroissant's own checks.

    Args:
        files: pattern of the files of a split.

    Raises:
        UsageError: mlcroissant is not installed.
    """
    try:
        import mlcroissant as mlc
    except ImportError as error:
        raise UsageError(f"{CROISSANT} needs mlcroissant; {install_hint('croissant')}") from error
    about = card.front_matter(manifest, files)
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.ERROR)  # it recommends a date, a version and a citation, which nobody has stated
    try:
        metadata = mlc.Metadata(
            name=about["pretty_name"],
            description=manifest.get("description") or about["pretty_name"],
            license=[manifest["license"]] if "license" in manifest else None,
            keywords=about["tags"],
            in_language=about.get("language"),
            conforms_to="http://mlcommons.org/croissant/1.1",
            distribution=[_files_of(split, files, mlc) for split in card.splits_with_rows(manifest)],
            record_sets=[_records_of(split, mlc) for split in card.splits_with_rows(manifest)],
        )
        return json.dumps(metadata.to_json(), indent=2, ensure_ascii=False) + "\n"
    finally:
        logger.setLevel(before)


def _files_of(split: str, files: str, mlc: Any) -> Any:
    encoding = next(media_type for ending, media_type in ENCODINGS.items() if files.endswith(ending))
    name = f"{split}-files"
    return mlc.FileSet(id=name, name=name, includes=[files.format(split=split)], encoding_formats=[encoding])


def _records_of(split: str, mlc: Any) -> Any:
    fields = [_field(split, name, column.type, column.meaning, mlc) for name, column in COLUMNS.items()]
    return mlc.RecordSet(id=split, name=split, description=f"The pairs of the split {split}.", fields=fields)


def _field(split: str, name: str, kind: pa.DataType, meaning: str, mlc: Any) -> Any:
    """A column. The parts of a list of structs, which Croissant describes one by one, are read by their JSON path."""
    about = {"id": f"{split}/{name}", "name": name, "description": meaning}
    if not pa.types.is_list(kind):
        return mlc.Field(**about, data_types=[_data_type(kind, mlc)], source=_source(split, name, mlc))
    parts = [
        mlc.Field(
            id=f"{split}/{name}/{part.name}",
            name=part.name,
            data_types=[_data_type(part.type, mlc)],
            source=_source(split, name, mlc, [mlc.Transform(json_path=f"$[*].{part.name}")]),
        )
        for part in kind.value_type
    ]
    return mlc.Field(**about, is_array=True, array_shape="-1", sub_fields=parts)


def _source(split: str, name: str, mlc: Any, transforms: list[Any] | None = None) -> Any:
    return mlc.Source(file_set=f"{split}-files", extract=mlc.Extract(column=name), transforms=transforms or [])


def _data_type(kind: pa.DataType, mlc: Any) -> Any:
    types = {pa.string(): "TEXT", pa.int32(): "INT32", pa.float32(): "FLOAT32"}
    return getattr(mlc.DataType, types[kind])
