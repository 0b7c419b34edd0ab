"""Indexes of the packaged sample, each built once in a run, and commands in processes of their own."""

import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

MAIN = "from llama_index_medqa.cli.command import main; main()"
SAMPLE_RECORDS = 40


def medqa_process(*arguments: str, folder: Path) -> str:
    """What the command prints, run in a folder."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "120"}
    command = [sys.executable, "-c", MAIN, *arguments]
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which `medqa demo` ran, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, medqa_process("demo", folder=folder)


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory) -> Path:
    """An index of the sample's first records; tests take a copy, by `sample_index`."""
    from llama_index_medqa.cli.demo import demo_documents
    from llama_index_medqa.components import open_embedder, open_index
    from llama_index_medqa.profiles import EMBEDDED
    from llama_index_medqa.vector_store.database import close_databases

    folder = tmp_path_factory.mktemp("sample") / "medqa_index"
    index = open_index(EMBEDDED, str(folder), open_embedder(EMBEDDED), create=True)
    assert index.ingest(islice(demo_documents(), SAMPLE_RECORDS)).added == SAMPLE_RECORDS
    close_databases()
    return folder


@pytest.fixture(scope="module")
def sample_index(sample_folder, tmp_path_factory) -> Path:
    """A copy of that index for a file of tests, named medqa_index."""
    folder = tmp_path_factory.mktemp("copy") / "medqa_index"
    shutil.copytree(sample_folder, folder)
    return folder
