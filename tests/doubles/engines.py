"""Servers of engines as processes, for tests: of Chroma, and of Milvus Lite, which speaks as a Milvus server does."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_S = 300.0


@contextmanager
def chroma_server(folder: Path) -> Iterator[str]:
    """Yield the address of a Chroma server."""
    port = free_port()
    command = Path(sys.executable).with_name("chroma")
    with _running([str(command), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def milvus_server(folder: Path) -> Iterator[str]:
    """Yield the address of a server that speaks Milvus's protocol."""
    port = free_port()
    command = Path(sys.executable).with_name("milvus-lite")
    with _running(
        [str(command), "server", "--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(port)], port
    ):
        yield f"milvus://127.0.0.1:{port}"


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not listen")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
