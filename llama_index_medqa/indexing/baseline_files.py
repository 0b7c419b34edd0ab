"""The files of PubMed's yearly baseline and its daily updates, as NLM names and numbers them.

NLM numbers the files of a year through: ``pubmed26n0001.xml.gz`` and so on are the baseline, and the numbers go on with
the update files. Each stands beside its checksum, ``pubmed26n0001.xml.gz.md5``. A file replaces what earlier ones say,
so none may be left out, and the order counts.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from llama_index_medqa._common.counts import counted
from llama_index_medqa.errors import InputError

_NAME = re.compile(r"pubmed(\d\d)n(\d{4,})\.xml(\.gz)?")
_CHECKSUM = re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32}(?![0-9a-fA-F])")
_NAMED_AT_MOST = 5


class BaselineFile(NamedTuple):
    """A file of the baseline or of the updates.

    Attributes:
        path: where it lies.
        year: the year in its name, of four digits.
        number: the number in its name.
    """

    path: Path
    year: int
    number: int

    @property
    def name(self) -> str:
        """Return its name."""
        return self.path.name

    @property
    def checksum_file(self) -> Path:
        """Return the file that holds its MD5."""
        return self.path.with_name(f"{self.path.name}.md5")


@dataclass(frozen=True)
class BaselinePlan:
    """What is to be applied to an index.

    Attributes:
        year: of the files.
        files: those that the index lacks, in order.
        done: how many files of the year it has.
        older: files of earlier years, which are not applied.
        replaces_year: the earlier year whose files the index has; None where it has none or of the same year.
    """

    year: int
    files: tuple[BaselineFile, ...]
    done: int
    older: tuple[BaselineFile, ...] = ()
    replaces_year: int | None = None

    @property
    def size(self) -> int:
        """Return the size of the files that are to be applied, bytes."""
        return sum(file.path.stat().st_size for file in self.files)


def plan_files(folder: Path, year: int | None = None, last: int = 0) -> BaselinePlan:
    """Find which files of a folder an index lacks.

    Args:
        folder: holds the files and their checksums, in folders of its own too.
        year: the year of the files that the index has; None for a new index.
        last: the number of the last one that it has.

    Raises:
        InputError: there are no such files, all are of years before, a number is missing, one is there twice, or one
            lacks its checksum.
    """
    files = _files_of(folder)
    newest = max(file.year for file in files)
    if year is not None and newest < year:
        raise InputError(
            f"The folder {folder} holds files of {newest} and before ({_named(files)}), and the index has those of "
            f"{year}, which are newer: nothing was applied. Fetch the files of {year}."
        )
    done = last if newest == year else 0
    current = sorted((file for file in files if file.year == newest), key=lambda file: file.number)
    older = sorted((file for file in files if file.year < newest), key=lambda file: (file.year, file.number))
    pending = tuple(file for file in current if file.number > done)
    _require_unbroken(folder, current, pending, done + 1)
    unchecked = [file for file in pending if not file.checksum_file.is_file()]
    if unchecked:
        raise InputError(
            f"The folder {folder} lacks the checksum of {counted(len(unchecked), 'file')} ({_named(unchecked)}): fetch "
            "NLM's .md5 files too, into the same folder."
        )
    replaced = year if year is not None and year < newest else None
    return BaselinePlan(newest, pending, done, tuple(older), replaced)


def require_sound(file: BaselineFile) -> None:
    """Raise if a file is not the one whose checksum stands beside it.

    Raises:
        InputError: it differs, or the checksum cannot be read.
    """
    told = _CHECKSUM.findall(file.checksum_file.read_text(encoding="utf-8", errors="replace"))
    if len(told) != 1:
        raise InputError(f"The file {file.checksum_file} holds no MD5: fetch it again.")
    with file.path.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != told[0].lower():
        raise InputError(
            f"The file {file.path} is damaged: its MD5 is {found}, and {told[0].lower()} stands in "
            f"{file.checksum_file.name}. Fetch both again and repeat the command."
        )


def _files_of(folder: Path) -> list[BaselineFile]:
    if folder.is_file():
        raise InputError(f"{folder} is a file: give the folder that holds it and NLM's other files.")
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: give the one that holds NLM's files, pubmedYYnNNNN.xml.gz.")
    found = [
        BaselineFile(path, 2000 + int(match[1]), int(match[2]))
        for path in sorted(folder.rglob("*"))
        if (match := _NAME.fullmatch(path.name)) and path.is_file()
    ]
    if not found:
        raise InputError(f"The folder {folder} holds no file of NLM's: they are named pubmedYYnNNNN.xml.gz.")
    return found


def _require_unbroken(
    folder: Path, current: Sequence[BaselineFile], pending: Sequence[BaselineFile], first: int
) -> None:
    """Raise unless the numbers of what is to be applied follow one another from the first on."""
    numbers = [file.number for file in current]
    if twice := [file for one, file in pairwise(current) if one.number == file.number]:
        raise InputError(f"The folder {folder} holds {_named(twice)} twice: keep one of each.")
    if pending and (missing := sorted(set(range(first, numbers[-1])) - set(numbers))):
        raise InputError(
            f"The folder {folder} lacks {counted(len(missing), 'file')} before {pending[-1].name}, with the "
            f"{'number' if len(missing) == 1 else 'numbers'} {_ranges(missing)}: fetch what is missing, as each file "
            "builds on those before it."
        )


def _named(files: Sequence[BaselineFile]) -> str:
    names = ", ".join(file.name for file in files[:_NAMED_AT_MOST])
    return f"{names}, …" if len(files) > _NAMED_AT_MOST else names


def _ranges(numbers: Iterable[int]) -> str:
    """Write numbers that ascend as ranges: ``2 to 4, 7``."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    told = [" to ".join(map(str, one)) for one in ranges]
    return ", ".join(told[:_NAMED_AT_MOST]) + (", …" if len(told) > _NAMED_AT_MOST else "")
