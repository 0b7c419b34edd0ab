"""Memory of ``python -m data_tools sft``, as the kernel counts it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llama_index_medqa.testing import synthetic_records

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
# The made-up words are none that tell a language.
ENGLISH = b" and this was what we had in all of these, as it was before that.</AbstractText>"
PROGRAM = (
    "import resource, sys; from data_tools.__main__ import app; app(sys.argv[1:], standalone_mode=False); "
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
)


def peak_mib(folder: Path, count: int) -> tuple[float, int]:
    """Peak memory of the seed recipe on so many records, in MiB, and the rows that it wrote."""
    source = folder / f"{count}.xml"
    with source.open("wb") as file:
        file.write(b'<?xml version="1.0" encoding="utf-8"?>\n<PubmedArticleSet>')
        for start in range(0, count, 5_000):
            made = synthetic_records(5_000, seed=start, first_pmid=10_000_001 + start)
            file.writelines(xml.replace(b"</AbstractText>", ENGLISH) for xml in made.values())
        file.write(b"</PubmedArticleSet>")
    out = folder / str(count)
    command = [sys.executable, "-c", PROGRAM, "sft", str(source), "--recipe", "seed", "--out", str(out), "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = json.loads(result.stdout)["rows"]
    return int(result.stderr.split()[-1]) / 1024, sum(kinds["abstract"] for kinds in rows.values())


def test_memory_grows_by_identities_only(tmp_path: Path) -> None:
    """A record may cost its identity, some 400 bytes with Python's tables; 20,000 records held would be 30 MB."""
    few, few_rows = peak_mib(tmp_path, 5_000)
    many, many_rows = peak_mib(tmp_path, 25_000)
    assert (few_rows, many_rows) == (5_000, 25_000)
    assert many - few < 16
