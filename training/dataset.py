"""Data sets as LLaMA-Factory reads them, with their manifests."""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llama_index.core.prompts import BasePromptTemplate

from llama_index_medqa.errors import InputError
from llama_index_medqa.prompts import template_hash

INFO: Final = "dataset_info.json"
MANIFEST: Final = "manifest.json"
CHOSEN: Final = "chosen"

_COLUMNS: Final = {"prompt": "instruction", "query": "input", "response": "output"}
_HOW: Final = "Make the data with: python -m data_tools sft"


@dataclass(frozen=True, slots=True)
class Item:
    """A question and its answer.

    Attributes:
        prompt: as LLaMA-Factory joins it of instruction and input.
        answer: what is learnt.
    """

    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class DataSet:
    """The data that a recipe trains on.

    Attributes:
        file: the file of the items.
        sha256: of it.
        items: those with a prompt and an answer.
        rejected: how many were not, by reason.
    """

    file: Path
    sha256: str
    items: tuple[Item, ...]
    rejected: Mapping[str, int]


def read_dataset(folder: Path, name: str, template: BasePromptTemplate) -> DataSet:
    """Read a data set, and check it against its manifest.

    Args:
        folder: with ``dataset_info.json`` and ``manifest.json``.
        name: of the data set in the first.
        template: what every item must ask.

    Raises:
        InputError: a file is missing or not as the manifest says; the data were not checked against evaluation sets,
            ask something else, or are empty.
    """
    information = _json(folder / INFO).get(name)
    if not isinstance(information, dict) or "file_name" not in information:
        known = ", ".join(_json(folder / INFO)) or "none"
        raise InputError(f"{folder / INFO} names no data set {name}, only: {known}. Correct 'dataset' in the recipe.")
    if information.get("formatting", "alpaca") != "alpaca":
        raise InputError(f"The data set {name} is of the form {information['formatting']}, not alpaca. {_HOW}")
    file = folder / str(information["file_name"])
    sha256 = _sha256(file)
    _check_manifest(_json(folder / MANIFEST), file, sha256, template)
    items, rejected = _items(file, _COLUMNS | information.get("columns", {}))
    if not items:
        shown = ", ".join(f"{number} {reason}" for reason, number in rejected.items()) or "there are none"
        raise InputError(f"No item of {file} can be trained on: {shown}. {_HOW}")
    _check_prompts(items, template, file)
    return DataSet(file, sha256, items, rejected)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Correct 'dataset_dir'. {_HOW}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}). {_HOW}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no JSON object. {_HOW}")
    return content


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"The data {file} cannot be read ({error.strerror}). {_HOW}") from error


def _check_manifest(manifest: Mapping[str, Any], file: Path, sha256: str, template: BasePromptTemplate) -> None:
    hashes = {output.get("name"): output.get("sha256") for output in manifest.get("outputs") or ()}
    if hashes.get(file.name) != sha256:
        raise InputError(
            f"{file} is not what its manifest says: its SHA-256 is {sha256}, and the manifest has "
            f"{hashes.get(file.name)}. {_HOW}"
        )
    if not manifest.get("evaluation_sets"):
        raise InputError(
            f"{file} may hold items that adapters are evaluated on: its manifest names no evaluation set that it was "
            "checked against. Make it with: python -m data_tools sft --exclude EVALUATION_SET"
        )
    prompt = manifest.get("prompt")
    if prompt and prompt.get("hash") != template_hash(template):
        raise InputError(
            f"{file} was made with the prompt {prompt.get('version')} ({prompt.get('hash')}), and the recipe's has the "
            f"hash {template_hash(template)}. Make the data anew, or correct 'prompt' in the recipe."
        )


def _items(file: Path, columns: Mapping[str, str]) -> tuple[tuple[Item, ...], dict[str, int]]:
    items: list[Item] = []
    rejected: Counter[str] = Counter()
    for row in _rows(file):
        asked = [row.get(columns[key]) for key in ("prompt", "query")]
        # As LLaMA-Factory does (data/converter.py, AlpacaDatasetConverter).
        prompt, answer = "\n".join(str(part) for part in asked if part), row.get(columns["response"])
        if not prompt.strip():
            rejected["without a prompt"] += 1
        elif not (isinstance(answer, str) and answer.strip()):
            rejected["without an answer"] += 1
        else:
            items.append(Item(prompt, answer))
    return tuple(items), dict(rejected)


def _rows(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8")
    rows: list[dict[str, Any]]
    try:
        rows = json.loads(text) if text.lstrip().startswith("[") else list(map(json.loads, text.splitlines()))
    except ValueError as error:
        raise InputError(f"{file} is neither JSON nor JSON lines ({error}). {_HOW}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{file} holds something else than objects. {_HOW}")
    return rows


def _check_prompts(items: Sequence[Item], template: BasePromptTemplate, file: Path) -> None:
    parts = re.split(r"\{(\w+)\}", template.get_template())
    pattern = re.compile(
        "".join(re.escape(part) if position % 2 == 0 else "(?s:.+)" for position, part in enumerate(parts))
    )
    for number, item in enumerate(items, start=1):
        if not pattern.fullmatch(item.prompt):
            raise InputError(
                f"Item {number} of {file} asks {item.prompt[:80]!r}…, which is not the recipe's prompt. "
                "Correct 'prompt' in the recipe, or make the data anew."
            )


def choose(lengths: Sequence[int], longest: int | None, most: int | None, seed: int) -> list[int]:
    """Return the positions of the items to train on.

    Args:
        lengths: tokens of all items.
        longest: longer ones are left out; None keeps all.
        most: at most so many, drawn by lot and in their order; None keeps all.
        seed: of the lot.

    Raises:
        InputError: none is left.
    """
    kept = [position for position, length in enumerate(lengths) if longest is None or length <= longest]
    if not kept:
        raise InputError(
            f"All {len(lengths)} items have more tokens than cutoff_len ({longest}); the shortest has {min(lengths)}. "
            "Raise cutoff_len."
        )
    if most is not None and most < len(kept):
        kept = sorted(random.Random(seed).sample(kept, most))  # noqa: S311 - not for secrets
    return kept


def write_chosen(items: Sequence[Item], folder: Path) -> None:
    """Write items as a data set named :data:`CHOSEN`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{CHOSEN}.jsonl").open("w", encoding="utf-8") as stream:
        for item in items:
            row = {"instruction": item.prompt, "input": "", "output": item.answer}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / INFO).write_text(json.dumps({CHOSEN: {"file_name": f"{CHOSEN}.jsonl", "columns": _COLUMNS}}, indent=1))
