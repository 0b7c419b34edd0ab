"""Builds a folder for LLaMA-Factory from files of records."""

import importlib.metadata
import platform
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data_tools.sft.duplicates import SeenTexts
from data_tools.sft.evaluation_sets import EvaluationSets
from data_tools.sft.grounded_recipe import GroundedItems, GroundedSettings
from data_tools.sft.output import DATASET_INFO, MANIFEST, TRAIN, Rows, dataset_info, file_facts, write_json
from data_tools.sft.screening import Screening
from data_tools.sft.seed_recipe import seed_row
from data_tools.sft.sources import read_sources
from llama_index_medqa.errors import EmptyCorpusError
from llama_index_medqa.prompts import GROUNDED_ANSWER, GROUNDED_ANSWER_VERSION, template_hash
from llama_index_medqa.pubmed.record import PubMedRecord

Item = tuple[str, dict[str, str], str]
"""Record id, row in LLaMA-Factory's alpaca form, and what to count it as."""

_PACKAGES = ("llama-index-medqa", "llama-index-core", "rensa")


@dataclass(frozen=True)
class SftSettings:
    """Settings that both recipes share.

    Attributes:
        recipe: ``seed`` or ``grounded``.
        seed: chooses the splits, and whatever else is left to chance.
        validation_share: share of the papers that are kept for validation, 0 to below 1.
        near_duplicate: least similarity of abstracts of which only the first is used, 0 to 1.
        drop_evaluation_items: whether papers of evaluation sets are left out instead of being an error.
        ignored_fields: keys of JSON lines that are not part of a record.
    """

    recipe: str
    seed: int = 0
    validation_share: float = 0.05
    near_duplicate: float = 0.8
    drop_evaluation_items: bool = False
    ignored_fields: tuple[str, ...] = ()


def build(
    files: Sequence[Path],
    excluded: Sequence[Path],
    out: Path,
    settings: SftSettings,
    grounded: GroundedSettings | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the data set and its manifest, and return the manifest.

    Nothing is written unless all went well. The same inputs and settings give the same bytes.

    Args:
        files: records.
        excluded: evaluation sets.
        out: folder for the files, which are replaced.
        settings: what both recipes share.
        grounded: settings of the grounded recipe; None for the seed's.
        tell: called with what is being done.

    Raises:
        EmptyCorpusError: no record made an item for training.
        InputError: a file cannot be read, or evaluation sets hold some of the records.
    """
    evaluation_sets = EvaluationSets(excluded)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as name:
        folder = Path(name)
        seen = SeenTexts(folder / "seen.sqlite3", settings.near_duplicate)
        screening = Screening(evaluation_sets, seen, settings.drop_evaluation_items)
        records = screening.passing(read_sources(files, settings.ignored_fields, folder))
        with Rows(folder, settings.seed, settings.validation_share) as rows:
            for record_id, row, kind in _items(records, grounded, folder, screening, tell):
                rows.write(record_id, row, kind)
        seen.close()
        _require_items(rows, screening)
        sources = {"inputs": list(map(file_facts, files)), "evaluation_sets": list(map(file_facts, excluded))}
        manifest = _manifest(settings, grounded, screening, rows) | sources
        _publish(folder, out, rows, manifest)
    return manifest


def _manifest(
    settings: SftSettings, grounded: GroundedSettings | None, screening: Screening, rows: Rows
) -> dict[str, Any]:
    """Return how the rows were made, and what they are."""
    return {
        "recipe": settings.recipe,
        "settings": _settings(settings, grounded),
        "prompt": _prompt() if grounded else None,
        "read": screening.read,
        "rejected": dict(sorted(screening.rejected.items())),
        "rows": {path.stem: dict(sorted(rows.kinds[path.stem].items())) for path in rows.written},
        "tokens": rows.lengths(),
        "outputs": [file_facts(path) for path in rows.written],
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
    }


def _publish(folder: Path, out: Path, rows: Rows, manifest: dict[str, Any]) -> None:
    """Describe the files for LLaMA-Factory, and move them to ``out``, in place of those of an earlier run."""
    write_json(folder / DATASET_INFO, dataset_info(f"medqa_{manifest['recipe']}", rows.written))
    write_json(folder / MANIFEST, manifest)
    for path in rows.paths.values():
        (out / path.name).unlink(missing_ok=True)
    for path in (*rows.written, folder / DATASET_INFO, folder / MANIFEST):
        path.replace(out / path.name)


def _items(
    records: Iterable[PubMedRecord],
    grounded: GroundedSettings | None,
    folder: Path,
    screening: Screening,
    tell: Callable[[str], None],
) -> Iterator[Item]:
    if grounded is None:
        yield from ((record.document_id, seed_row(record), "abstract") for record in _with_progress(records, tell))
        return
    # Seconds of imports, which the seed's recipe does without.
    from data_tools.sft.evidence_index import create_index, whole_papers

    items = GroundedItems(grounded, folder / "studies.jsonl", screening.rejected)
    index = create_index(folder / "index", grounded.embedder, grounded.retrieval)
    items.index(_with_progress(records, tell), index)
    tell("Asking about the records")
    # One paper more than is shown, because the own one may be withheld.
    yield from items.rows(whole_papers(index, grounded.retrieval, grounded.passages + 1))


def _with_progress(records: Iterable[PubMedRecord], tell: Callable[[str], None]) -> Iterator[PubMedRecord]:
    for number, record in enumerate(records, start=1):
        if number % 1000 == 0:
            tell(f"Reading records: {number} are fit")
        yield record


def _settings(settings: SftSettings, grounded: GroundedSettings | None) -> dict[str, Any]:
    """Return the settings without this machine's folders."""
    if grounded is None:
        return asdict(settings)
    if Path(grounded.embedder).exists():
        grounded = replace(grounded, embedder=Path(grounded.embedder).name)
    return asdict(settings) | asdict(grounded)


def _prompt() -> dict[str, str]:
    return {"version": GROUNDED_ANSWER_VERSION, "hash": template_hash(GROUNDED_ANSWER)}


def _require_items(rows: Rows, screening: Screening) -> None:
    if rows.counts[TRAIN]:
        return
    reasons = ", ".join(f"{number} {reason}" for reason, number in screening.rejected.most_common())
    raise EmptyCorpusError(
        f"None of {screening.read} records made an item for training ({reasons or 'there are none'}). "
        "Give other records, or more of them."
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
