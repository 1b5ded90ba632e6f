"""What is in a folder."""

from pathlib import Path


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of all files by path."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
