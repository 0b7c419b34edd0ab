"""Ingestions killed at random moments, half of them updates; run again, the index equals an undisturbed one.

Twenty in Chroma (MEDQA_KILLS for more of each kind), and six in Milvus Lite, where each process takes seconds to start.

Expected values: the index that an undisturbed run builds, chunk for chunk with text, metadata and vector.
"""

import os
import random
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from index_process import ingest, ingest_all, read

from llama_index_medqa.testing import synthetic_records

# Kills of each kind, and where in its folder an engine keeps an index.
ENGINES = {"chroma": (int(os.environ.get("MEDQA_KILLS", "10")), "{}"), "milvus": (3, "milvus:{}/index.db")}
SEED = 20261123
RECORDS = synthetic_records(42, seed=7)


def write_xml(path: Path, records: dict[str, bytes], deleted: list[str] | None = None) -> Path:
    gone = "".join(f"<DeleteCitation><PMID Version='1'>{pmid}</PMID></DeleteCitation>" for pmid in deleted or [])
    path.write_bytes(b"<PubmedArticleSet>" + b"".join(records.values()) + gone.encode() + b"</PubmedArticleSet>")
    return path


def next_version(records: dict[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
    """The records as of a later day: some changed, some shorter, some longer, some new, some deleted."""
    changed, deleted = {}, []
    later = synthetic_records(10, seed=8, first_pmid=20_000_001)
    for number, (pmid, xml) in enumerate(records.items()):
        revised = xml.replace(b"<DateRevised><Year>2020", b"<DateRevised><Year>2022")
        kind = number % 6
        if kind == 0:
            changed[pmid] = revised.replace(b"Synthetic record", b"Revised record")
        elif kind == 1:
            start, end = revised.index(b"<AbstractText"), revised.rindex(b"</AbstractText>")
            changed[pmid] = revised[:start] + b"<AbstractText>Short now." + revised[end:]
        elif kind == 2:
            changed[pmid] = revised.replace(b"in \xc2\xb5mol", b"in \xc2\xb5mol " + b"and ever longer text " * 12)
        elif kind == 3 and number % 2:
            deleted.append(pmid)
        else:
            changed[pmid] = xml
    return changed | later, deleted


def killed_and_repeated(
    number: int, base: Path | None, folder: Path, address: str, tokenizer: str, file: Path, length: float
) -> dict:
    """Kills one ingestion at a random moment, runs it again, and reads what there is then."""
    location = address.format(folder)
    source = random.Random(f"{SEED}-{folder.parent.name}-{number}")
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        if base:
            shutil.copytree(base, folder)
        running = ingest(location, tokenizer, [file])
        assert running.hear() == "ready"
        time.sleep(source.uniform(0, length))
        if running.kill():
            break
    ingest_all(location, tokenizer, [file])
    return read(location)


def length_of(base: Path | None, folder: Path, address: str, tokenizer: str, file: Path) -> float:
    """Seconds that an undisturbed run takes when two run at once."""
    if base:
        shutil.copytree(base, folder)
    running = ingest(address.format(folder), tokenizer, [file])
    assert running.hear() == "ready"
    start = time.monotonic()
    assert running.hear() == "done"
    running.process.join()
    return time.monotonic() - start


# The processes are asked for over a UNIX socket.
@pytest.mark.enable_socket
@pytest.mark.integration
@pytest.mark.parametrize("kind", ["first", "update"])
@pytest.mark.parametrize("engine", ENGINES)
def test_killed_ingestions_equal_undisturbed_ones(tmp_path, word_piece, engine, kind):
    kills, address = ENGINES[engine]
    if engine == "milvus":
        pytest.importorskip("milvus_lite")
    first = write_xml(tmp_path / "first.xml", RECORDS)
    second = write_xml(tmp_path / "second.xml", *next_version(RECORDS))
    base, file = (tmp_path / "base", second) if kind == "update" else (None, first)
    if base:
        ingest_all(address.format(base), word_piece, [first])
    length = length_of(base, tmp_path / "calm", address, word_piece, file)
    expected = read(address.format(tmp_path / "calm"))
    fresh = address.format(tmp_path / "fresh")
    if base:
        ingest_all(fresh, word_piece, [second])
        assert read(fresh) == expected
    sys.stdout.write(f"seed {SEED}, {engine}, {kind}: {len(expected)} chunks, {length:.1f} s undisturbed\n")
    (tmp_path / kind).mkdir()

    def trial(number: int) -> dict:
        folder = tmp_path / kind / str(number)
        return killed_and_repeated(number, base, folder, address, word_piece, file, length)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(trial, range(kills)))
    for number, chunks in enumerate(found):
        assert chunks == expected, f"kill {number} of seed {SEED}: {sorted(chunks.items() ^ expected.items())[:5]}"
