"""A file that is written as a whole or not at all. Hashes are those of `sha256sum`."""

import os
import platform
import signal
import subprocess
import sys
import threading
import time

import pytest

from llama_index_medqa._common.files import file_sha256, write_atomically

SLOW_WRITER = """
import sys, time
from llama_index_medqa._common.files import write_atomically
with write_atomically(sys.argv[1]) as partial:
    partial.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("before", [None, "old"])
def test_the_file_appears_at_the_end_and_leaves_nothing_beside_it(tmp_path, before):
    path = tmp_path / "results.json"
    if before:
        path.write_text(before)
    with write_atomically(path) as partial:
        partial.write_text("new")
        assert (path.read_text() if path.exists() else None) == before
        assert partial.parent == tmp_path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")

    def stop(partial):
        partial.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), write_atomically(path) as partial:
        stop(partial)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), write_atomically(tmp_path / "results.json"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced = []
    sync = os.fsync

    def noted(descriptor):
        synced.append(sorted(path.name[:8] for path in tmp_path.iterdir()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    with write_atomically(tmp_path / "results") as partial:
        partial.write_text("new")
    # The file under its first name, then the folder that holds the last one.
    assert synced == [[".results"], ["results"]]


def test_threads_that_write_one_file_leave_one_of_theirs(tmp_path):
    path = tmp_path / "results.txt"
    texts = [str(number) * 100_000 for number in range(8)]

    def write(text):
        for _ in range(5):
            with write_atomically(path) as partial:
                partial.write_text(text)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_writer_leaves_the_old_file_and_its_rest_is_removed_later(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with subprocess.Popen([sys.executable, "-c", SLOW_WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "writing\n"
        writer.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"
    [rest] = set(tmp_path.iterdir()) - {path}
    other = tmp_path / ".other.json.1-1.partial"
    other.write_text("of another file")
    with write_atomically(path) as partial:
        partial.write_text("new")
    assert not rest.exists()
    assert other.exists()


def test_what_another_machine_may_be_writing_is_left_for_an_hour(tmp_path):
    path = tmp_path / "results.json"
    elsewhere = tmp_path / f".results.json.another-machine-{2**22 + 1}-1.partial"
    running = tmp_path / f".results.json.{platform.node()}-{os.getpid()}-1.partial"
    for age, kept in ((3_000, True), (4_000, False)):
        for file in (elsewhere, running):
            if not file.exists():
                file.write_text("half")
            os.utime(file, (time.time() - age,) * 2)
        with write_atomically(path) as partial:
            partial.write_text("new")
        assert (elsewhere.exists(), running.exists()) == (kept, kept)


def test_the_hash_of_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path.write_bytes(b"a" * 2_500_000)
    read = []
    file_sha256(path, read.append)
    assert read == [1 << 20, 1 << 21, 2_500_000]


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    path = tmp_path / "missing" / "results.json"
    with pytest.raises(FileNotFoundError) as told, write_atomically(path) as partial:
        partial.write_text("whole")
    assert told.value.filename == str(path)
