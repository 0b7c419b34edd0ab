"""Files of JSON lines, an object a line, with errors that name the line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llama_index_medqa.errors import InputError


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with the numbers of their lines, from 1; blank lines are passed over.

    Raises:
        InputError: the file cannot be read, or a line is no JSON object; what stood before it was given.
    """
    try:
        # Only a line feed ends a line of JSON lines.
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _object(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{place}: not JSON ({error}). Correct or remove the line.") from error
    if not isinstance(row, dict):
        raise InputError(f"{place}: must be a JSON object, got {type(row).__name__}.")
    return row
