"""A corpus indexed by several Ray nodes into a Chroma server equals the index that one process builds of it."""

import gzip
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path

import httpx
import numpy as np
import pytest

from llama_index_medqa import E5Embedding, PubMedIndex, PubMedReader, TokenNodeParser
from llama_index_medqa.indexing.updating import ingest_files
from llama_index_medqa.testing import HashEmbedding, synthetic_records
from tests.conftest import REPOSITORY

pytest.importorskip("ray", reason="needs the extra 'ray'")
pytestmark = pytest.mark.integration

NODES = 2
RECORDS = 300
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[int]:
    """The port of a Chroma server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("server")
    command = [Path(sys.executable).with_name("chroma"), "run", "--path", folder, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(120):
        try:
            httpx.get(f"http://127.0.0.1:{port}/api/v2/heartbeat", trust_env=False)
            break
        except httpx.TransportError:
            time.sleep(0.5)
    yield port
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def nodes() -> Iterator[subprocess.Popen]:
    """The process that holds the Ray nodes; its first line is the address."""
    command = [sys.executable, HERE / "ray_nodes.py", str(NODES)]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    process.address = process.stdout.readline().strip()
    yield process
    process.stdin.close()
    process.wait(60)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> list[str]:
    """Four files in which records return, inside a file and in later ones, and are deleted and come back."""
    folder, source, paths = tmp_path_factory.mktemp("corpus"), random.Random(0), []
    for number in range(4):
        first, day = 10_000_001 + number * RECORDS // 2, date(2020 + number, 1, 1)
        versions = [synthetic_records(RECORDS, seed=number * 2 + n, first_pmid=first, first_day=day) for n in (0, 1)]
        items = [*versions[0].values(), *source.sample(list(versions[1].values()), RECORDS // 5)]
        gone = source.sample(range(10_000_001, first + RECORDS), RECORDS // 10)
        deleted = "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in gone)
        items.insert(source.randrange(len(items)), f"<DeleteCitation>{deleted}</DeleteCitation>".encode())
        paths.append(folder / f"part{number}.xml")
        paths[-1].write_bytes(b"<PubmedArticleSet>" + b"\n".join(items) + b"</PubmedArticleSet>")
    return [str(path) for path in paths]


def opened(word_piece: str, **location) -> PubMedIndex:
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    return PubMedIndex.open(**location, create=True, embed_model=HashEmbedding(), node_parser=parser)


def assert_same_chunks(index: PubMedIndex, other: PubMedIndex) -> None:
    """Ids, texts and metadata are equal, and vectors but for the last bit, which Chroma may round when it stores."""
    rows, others = (
        shown.store.collection.get(include=["documents", "metadatas", "embeddings"]) for shown in (index, other)
    )
    order, other_order = np.argsort(rows["ids"]), np.argsort(others["ids"])
    assert [rows["ids"][n] for n in order] == [others["ids"][n] for n in other_order]
    for key in ("documents", "metadatas"):
        assert [rows[key][n] for n in order] == [others[key][n] for n in other_order]
    np.testing.assert_allclose(rows["embeddings"][order], others["embeddings"][other_order], atol=1e-6)


def by_ray(nodes, server: int, collection: str, word_piece: str, files: list[str], *, kill: bool = False) -> dict:
    """The report of an ingestion; a node may be killed when the first batches are in."""
    command = [sys.executable, "-m", "tests.integration.ray_ingest"]
    command += [nodes.address, str(server), collection, word_piece, *files]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert f"{NODES} nodes" in process.stdout.readline()
    if kill:
        assert int(process.stdout.readline()) > 0
        nodes.stdin.write("kill\n")
        nodes.stdin.flush()
        assert nodes.stdout.readline() == "killed\n"
    rest, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    return json.loads(rest.splitlines()[-1])


def test_the_index_is_that_of_one_process(nodes, server, corpus, word_piece, tmp_path):
    alone = opened(word_piece, persist_dir=str(tmp_path / "alone"))
    expected = ingest_files(alone, PubMedReader().lazy_load_changes(corpus))
    report = by_ray(nodes, server, "whole", word_piece, corpus)
    assert report == {"ingested": asdict(expected), "failed": {}}
    built = opened(word_piece, host="127.0.0.1", port=server, collection_name="whole")
    assert expected.chunks_written > 1000
    assert_same_chunks(built, alone)
    assert built.as_of == alone.as_of == date(2023, 12, 30)
    generation = built.store.generation

    again = by_ray(nodes, server, "whole", word_piece, corpus)["ingested"]
    assert (again["unchanged"], again["added"], again["chunks_written"]) == (expected.added, 0, 0)
    assert built.store.generation == generation


def test_the_command_names_a_damaged_file_and_indexes_the_others(nodes, server, corpus, tiny_model, tmp_path):
    damaged = tmp_path / "damaged.xml.gz"
    whole = gzip.compress(Path(corpus[1]).read_bytes())
    damaged.write_bytes(whole[: len(whole) // 2])
    command = [
        sys.executable,
        "-c",
        "from llama_index_medqa.cli.command import main; main()",
        "index",
        corpus[0],
        damaged,
    ]
    command += ["--ray", nodes.address, "--index", f"http://127.0.0.1:{server}", "--json"]
    command += ["--embedder", tiny_model, "--chunk-size", "32", "--chunk-overlap", "8"]
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=900)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert list(report["failed"]) == [str(damaged)]
    assert "damaged.xml.gz ends in the middle of its compressed data" in report["failed"][str(damaged)]

    parser = TokenNodeParser(tokenizer=tiny_model, chunk_size=32, chunk_overlap=8)
    embedder = E5Embedding(model_name=tiny_model)
    alone = PubMedIndex.open(str(tmp_path / "alone"), embed_model=embedder, node_parser=parser, create=True)
    assert alone.ingest(PubMedReader().lazy_load_changes(corpus[:1])).added == report["added"] > 0
    built = PubMedIndex.open(host="127.0.0.1", port=server, embed_model=embedder)
    assert_same_chunks(built, alone)


def test_a_node_is_killed_in_the_middle_of_an_update(nodes, server, corpus, word_piece, tmp_path):
    """The last test of these nodes."""
    alone = opened(word_piece, persist_dir=str(tmp_path / "alone"))
    built = opened(word_piece, host="127.0.0.1", port=server, collection_name="killed")
    for index in (alone, built):
        ingest_files(index, PubMedReader().lazy_load_changes(corpus[:2]))
    expected = ingest_files(alone, PubMedReader().lazy_load_changes(corpus))
    assert min(expected.added, expected.updated, expected.unchanged, expected.deleted) > 0
    report = by_ray(nodes, server, "killed", word_piece, corpus, kill=True)
    assert_same_chunks(built, alone)
    # What a killed worker had written is counted as unchanged by the one that did its work again.
    counts = ("added", "updated", "unchanged")
    assert sum(report["ingested"][name] for name in counts) == sum(asdict(expected)[name] for name in counts)
    assert report["failed"] == {}
