"""Reading the metrics of a run again and again while they are written."""

import os
from collections.abc import Container
from pathlib import Path
from typing import Any

from pairgen.errors import RunFolderError
from pairgen.run_folder.folder import add_line, parse_line


class MetricsFollower:
    """The logged steps of a file so far. Each ``update`` reads only what was added since the last one."""

    def __init__(self, file: Path, keys: Container[str] | None = None) -> None:
        """Args: the file, which may not exist yet, and the metrics to keep besides the step; None: all of them."""
        self.lines: list[dict[str, Any]] = []
        """As ``read_metrics`` returns them."""
        self._file, self._keys = file, keys
        self._offset, self._rows, self._inode = 0, 0, 0

    def update(self) -> bool:
        """Read what was added. A file that was replaced, as when a run is resumed, is read from its start.

        A last line without its end is left for the next time.

        Returns:
            whether anything has changed.

        Raises:
            RunFolderError: the file cannot be read, or a line is damaged.
        """
        try:
            with self._file.open("rb") as file:
                status = os.fstat(file.fileno())
                replaced = status.st_ino != self._inode or status.st_size < self._offset
                if replaced:
                    self.lines, self._offset, self._rows, self._inode = [], 0, 0, status.st_ino
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            known, self.lines, self._offset, self._rows, self._inode = bool(self.lines), [], 0, 0, 0
            return known
        except OSError as error:
            raise RunFolderError(f"{self._file}: cannot be read ({error.strerror or error})") from error
        complete = added[: added.rfind(b"\n") + 1]
        for row in complete.splitlines():
            self._rows += 1
            if row.strip():
                self._add(row)
        self._offset += len(complete)
        return replaced or bool(complete)

    def _add(self, row: bytes) -> None:
        where = f"{self._file}, line {self._rows}"
        line = parse_line(row, where)
        if self._keys is not None and isinstance(line, dict):
            line = {key: value for key, value in line.items() if key == "step" or key in self._keys}
        add_line(self.lines, line, where)
