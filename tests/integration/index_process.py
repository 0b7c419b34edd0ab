"""What index tests run in processes of their own: one ingestion, and one reading of all that an index holds.

Processes are forked off a server that has imported everything and opened nothing, so that one starts in milliseconds.
"""

import multiprocessing
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks.common.chunk_hashes import chunk_hashes
from llama_index_medqa import PubMedIndex, PubMedReader, TokenNodeParser
from llama_index_medqa.indexing import ingestion
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store import client, leased_lock
from llama_index_medqa.vector_store.addresses import open_store

_CONTEXT = multiprocessing.get_context("forkserver")
# Not this module: before Python 3.12 the server of processes does not know where tests lie.
_CONTEXT.set_forkserver_preload(
    [
        *("chromadb.api.fastapi", "chromadb.api.rust", "chromadb.telemetry.product.posthog"),
        # LlamaIndex imports it, and with it hundreds of modules, when an index is opened.
        "llama_index.core.bridge.langchain",
        *("llama_index_medqa.indexing.index", "llama_index_medqa.indexing.reader", "llama_index_medqa.testing.models"),
    ]
)

# Small batches: many moments between two writes.
BATCH = 8
# Chroma writes its files of vectors after as few rows, in place of 1,000.
ROWS_PER_SYNC = 100
SMALL_SYNC: Any = {"hnsw": {"space": "cosine", "sync_threshold": ROWS_PER_SYNC, "batch_size": 8}}
# A lock on a server that was left behind is taken away after as long, in place of a minute.
LEASE_S = 5.0
DIMENSION = 24


def opened(location: str, tokenizer: str) -> PubMedIndex:
    """The index at an address, with the embedder and the splitter of all these tests."""
    parser = TokenNodeParser(tokenizer=tokenizer, chunk_size=96, chunk_overlap=24)
    embedder = HashEmbedding(dimension=DIMENSION)
    return PubMedIndex.open(location, embed_model=embedder, node_parser=parser, create=True)


def in_small_steps() -> None:
    """Let this process write in small batches, and do after few rows and seconds what otherwise takes many."""
    ingestion.DOCUMENTS_PER_LOOKUP, ingestion.DOCUMENTS_PER_BATCH = 4 * BATCH, BATCH
    client._COSINE = SMALL_SYNC
    leased_lock.LEASE_S, leased_lock.RENEWAL_S = LEASE_S, LEASE_S / 10


def _ingest(location: str, tokenizer: str, files: list[Path], most_bytes: int | None, told: Connection) -> None:
    if most_bytes:
        # Python ignores SIGXFSZ, so that a write beyond the limit fails instead of ending the process.
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    in_small_steps()
    try:
        index = opened(location, tokenizer)
        told.send("ready")
        index.ingest(PubMedReader().lazy_load_changes(files))
        told.send("done")
    except Exception as error:  # noqa: BLE001  # told to the test
        told.send(f"{type(error).__name__}: {error}")


def _hold(location: str, told: Connection) -> None:
    in_small_steps()
    with open_store(location).sole_writer():
        told.send("held")
        time.sleep(600)


def _lost(location: str, told: Connection) -> None:
    store = open_store(location, create=False)
    embedder = HashEmbedding(dimension=DIMENSION)
    texts = store.texts(store.ids())
    vectors = {name: embedder.get_text_embedding(text) for name, text in texts.items()}
    nearest = {name: store.nearest(vector, 1, {})[0][0] for name, vector in vectors.items()}
    # Other words may have the same hashes.
    told.send(sorted(name for name, found in nearest.items() if vectors[found] != vectors[name]))


def _read(location: str, told: Connection) -> None:
    told.send(chunk_hashes(open_store(location, create=False)))


class Running:
    """One process, and what it told."""

    def __init__(self, process: BaseProcess, told: Connection) -> None:
        self.process = process
        self._told = told

    def hear(self, timeout: float = 120.0) -> Any:
        """The next thing that it tells."""
        assert self._told.poll(timeout), "the process told nothing"
        return self._told.recv()

    def kill(self) -> bool:
        """Ends it as kill -9 does; tells whether it had not finished by itself."""
        self.process.kill()
        self.process.join()
        told = None
        try:
            while told != "done":
                told = self._told.recv()
        except EOFError:
            return True
        return False


def ingest(location: str, tokenizer: str, files: list[Path], most_bytes: int | None = None) -> Running:
    """Starts an ingestion, which tells "ready" when the index is open and "done", or its error, at the end.

    Args:
        location: of the index.
        tokenizer: of the splitter.
        files: of records.
        most_bytes: how long a file it may make.
    """
    return _started(_ingest, location, tokenizer, files, most_bytes)


def ingest_all(location: str, tokenizer: str, files: list[Path]) -> None:
    """An ingestion that nothing disturbs."""
    running = ingest(location, tokenizer, files)
    assert [running.hear(), running.hear()] == ["ready", "done"]
    running.process.join()


def hold(location: str) -> Running:
    """A process that is the sole writer of an index until it is killed; it tells "held"."""
    return _started(_hold, location)


def lost(location: str) -> list[str]:
    """The chunks of an index that a search by their own text does not find, in a new process."""
    running = _started(_lost, location)
    found: list[str] = running.hear()
    running.process.join()
    return found


def read(location: str) -> dict[str, str]:
    """What an index holds, as a new process finds it."""
    running = _started(_read, location)
    found: dict[str, str] = running.hear()
    running.process.join()
    return found


def _started(target: Any, *arguments: Any) -> Running:
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=target, args=(*arguments, sender), daemon=True)
    process.start()
    sender.close()
    return Running(process, receiver)


@contextmanager
def chroma_server(folder: Path, port: int | None = None) -> Iterator["ChromaServer"]:
    """A real Chroma server on the loopback interface, for the length of the ``with`` block."""
    server = ChromaServer(folder, port or _free_port())
    server.start()
    try:
        yield server
    finally:
        server.kill()


class ChromaServer:
    """``chroma run`` in a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self._process: Any = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        import subprocess
        import sys
        import time

        import httpx

        command = Path(sys.executable).with_name("chroma")
        arguments = [str(command), "run", "--path", str(self.folder), "--port", str(self.port)]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with httpx.Client(trust_env=False) as client:
            for _ in range(600):
                try:
                    client.get(f"{self.address}/api/v2/heartbeat").raise_for_status()
                except httpx.HTTPError:
                    time.sleep(0.1)
                else:
                    return
        raise AssertionError("chroma run does not answer")

    def kill(self) -> None:
        """Ends it as kill -9 does."""
        self._process.kill()
        self._process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
