"""Read the rows of the data files."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines, packed by gzip or not."""
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
