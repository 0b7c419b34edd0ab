"""Writes rows to training and validation files, with their description."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from llama_index.core.utils import get_tokenizer

from llama_index_medqa._common.files import file_sha256

TRAIN, VALIDATION = "train", "validation"
MANIFEST = "manifest.json"
DATASET_INFO = "dataset_info.json"
_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
_QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


def draw(*parts: object) -> float:
    """Return a pseudo-random number from 0 to below 1 for some parts.

    The same for the same parts, in whatever order records come.
    """
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


class Rows:
    """Writes each row into the split of its record.

    Args:
        folder: where the files go.
        seed: chooses the splits.
        validation_share: share of the records that are kept for validation, 0 to below 1.
    """

    def __init__(self, folder: Path, seed: int, validation_share: float) -> None:
        self._seed = seed
        self._validation_share = validation_share
        self._tokens = get_tokenizer()
        self.paths = {split: folder / f"{split}.jsonl" for split in (TRAIN, VALIDATION)}
        self._files = {split: path.open("w", encoding="utf-8") for split, path in self.paths.items()}
        self.counts = dict.fromkeys(self.paths, 0)
        self.kinds: dict[str, Counter[str]] = {split: Counter() for split in self.paths}
        self._lengths: dict[str, Counter[int]] = {"prompt": Counter(), "answer": Counter(), "whole": Counter()}

    def write(self, record_id: str, row: Mapping[str, str], kind: str) -> None:
        """Write a row of a record.

        Args:
            record_id: id of the record that it was made of.
            row: ``instruction``, ``input`` and ``output``.
            kind: what to count it as.
        """
        split = VALIDATION if draw(self._seed, "split", record_id) < self._validation_share else TRAIN
        self._files[split].write(json.dumps({**row, "id": record_id, "kind": kind}, ensure_ascii=False) + "\n")
        self.counts[split] += 1
        self.kinds[split][kind] += 1
        prompt = len(self._tokens("\n".join(filter(None, (row["instruction"], row["input"])))))
        answer = len(self._tokens(row["output"]))
        for name, tokens in (("prompt", prompt), ("answer", answer), ("whole", prompt + answer)):
            self._lengths[name][tokens] += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files.values():
            file.close()

    @property
    def written(self) -> list[Path]:
        """Return the files that hold rows."""
        return [path for split, path in self.paths.items() if self.counts[split]]

    def lengths(self) -> dict[str, dict[str, int]]:
        """Return quantiles of the lengths of all rows.

        In tokens of LlamaIndex's global tokenizer.
        """
        return {name: _quantiles(counts) for name, counts in self._lengths.items()}


def _quantiles(counts: Counter[int]) -> dict[str, int]:
    """Return the least value at or below which each share lies."""
    quantiles, below = {}, 0
    waiting = list(_QUANTILES)
    for value in sorted(counts):
        below += counts[value]
        while waiting and below >= waiting[0] * counts.total():
            quantiles[f"{waiting.pop(0):.0%}"] = value
    return quantiles


def dataset_info(name: str, files: Sequence[Path]) -> dict[str, Any]:
    """Return LLaMA-Factory's description of a folder of data sets.

    ``NAME_train`` and ``NAME_validation``.
    """
    return {
        f"{name}_{file.stem}": {"file_name": file.name, "formatting": "alpaca", "columns": _COLUMNS} for file in files
    }


def write_json(path: Path, value: Any) -> None:
    """Write JSON that people read too."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def file_facts(path: Path) -> dict[str, Any]:
    """Return name, size in bytes and SHA-256 of a file."""
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
