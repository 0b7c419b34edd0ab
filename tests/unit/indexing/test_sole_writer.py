"""Every way of writing waits for another process that writes: the other one is real."""

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from llama_index_medqa.errors import IndexBusyError
from llama_index_medqa.indexing.archive import export_index, import_index
from llama_index_medqa.indexing.copying import copy_index
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.indexing.node_parser import TokenNodeParser
from llama_index_medqa.indexing.updating import Recheck, apply_recheck
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store.addresses import open_store

SECONDS = 60
HOLDER = """
import sys
from llama_index_medqa.vector_store.database import sole_writer
with sole_writer(sys.argv[1], create=True):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def index(tmp_path, word_piece, documents):
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    made = PubMedIndex.open(str(tmp_path / "index"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    made.ingest(documents)
    return made


@pytest.fixture
def other():
    """Make another process the writer of a folder; return it."""
    started = []

    def hold(folder):
        command = [sys.executable, "-c", HOLDER, str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()


def test_an_import_into_a_folder_that_another_process_writes_is_refused_or_waits(index, tmp_path, other):
    file = tmp_path / "all.medqa"
    export_index(index.store, file)
    process = other(tmp_path / "new")
    with pytest.raises(IndexBusyError, match=str(process.pid)):
        import_index(file, str(tmp_path / "new"), wait=False)
    assert not open_store(str(tmp_path / "new")).ids()
    process.communicate("end\n")
    import_index(file, str(tmp_path / "new"), wait=False)
    assert sorted(open_store(str(tmp_path / "new")).ids()) == sorted(index.store.ids())


def test_a_copy_into_a_folder_that_another_process_writes_is_refused(index, tmp_path, other):
    process = other(tmp_path / "new")
    with pytest.raises(IndexBusyError, match=str(process.pid)):
        copy_index(index.store, open_store(str(tmp_path / "new")), wait=False)


WAYS = {
    "update": lambda index, documents: apply_recheck(index, Recheck(None, Path(index.store.address))),
    "ingest": lambda index, documents: index.ingest(documents),
    "repair": lambda index, documents: index.repair(),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_writes_waits_for_the_other_process_and_says_for_which(index, documents, other, caplog, way):
    process = other(index.store.address)
    done = threading.Thread(target=WAYS[way], args=(index, documents), daemon=True)
    with caplog.at_level(logging.WARNING):
        done.start()
        end = time.monotonic() + SECONDS
        while f"{process.pid}" not in caplog.text and time.monotonic() < end:
            time.sleep(0.05)
        assert "Waiting for" in caplog.text
        assert done.is_alive()
    process.communicate("end\n")
    done.join(SECONDS)
    assert not done.is_alive()
