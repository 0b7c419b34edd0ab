"""A real PostgreSQL with pgvector on the loopback interface, for tests, where one is at hand.

The folder that MEDQA_POSTGRES_PACKAGES names holds the server (the package ``pgserver``) and LlamaIndex's store with
the packages that it needs; `make test-postgres` fills it. They ask for an older SQLAlchemy than LlamaIndex alone gets,
and so have a folder of their own, which stands first where Python looks for packages.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.engines import free_port

VARIABLE = "MEDQA_POSTGRES_PACKAGES"
# PostgreSQL does not run as root.
_USER = "nobody"


@contextmanager
def postgres_server() -> Iterator[Callable[[str, int], Any]]:
    """Yields a function that makes LlamaIndex's store of a table, for vectors of a length."""
    packages = Path(os.environ.get(VARIABLE, ""))
    programs = packages / "pgserver" / "pginstall" / "bin"
    if not os.environ.get(VARIABLE) or not programs.is_dir():
        pytest.skip(
            f"no PostgreSQL: the folder in {VARIABLE} holds no pgserver; `make test-postgres` makes such a folder"
        )
    from llama_index.vector_stores.postgres import PGVectorStore

    # Its user must be able to enter all folders above, which is not so where pytest's are.
    folder = Path(tempfile.mkdtemp(prefix="medqa-postgres-"))
    port, stores = free_port(), []
    try:
        _run(programs / "initdb", "--pgdata", str(folder / "data"), "--username", "medqa", "--auth", "trust", at=folder)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        server = ["--pgdata", str(folder / "data"), "--log", str(folder / "log"), "--wait"]
        _run(programs / "pg_ctl", *server, "--options", options, "start", at=folder)

        def store_of(table: str, dimension: int) -> Any:
            stores.append(
                PGVectorStore.from_params(
                    host="127.0.0.1",
                    port=str(port),
                    database="postgres",
                    user="medqa",
                    password="none",
                    table_name=table,
                    embed_dim=dimension,
                )
            )
            return stores[-1]

        try:
            yield store_of
        finally:
            for store in stores:
                if store._is_initialized:
                    store._engine.dispose()
            _run(programs / "pg_ctl", *server, "--mode", "immediate", "stop", at=folder)
    finally:
        shutil.rmtree(folder)


def _run(program: Path, *arguments: str, at: Path) -> None:
    is_root = os.geteuid() == 0
    if is_root:
        shutil.chown(at, _USER)
    command = [str(program), *arguments]
    # What it starts keeps the output open: it goes to a file.
    with tempfile.TemporaryFile() as told:
        done = subprocess.run(command, stdout=told, stderr=told, cwd=at, user=_USER if is_root else None, check=False)
        told.seek(0)
        assert done.returncode == 0, told.read().decode()
