"""Files of scores: our own results, and anybody's scores case by case."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.results import FORMAT, CaseResult, MeasureInfo, Results, read_results
from llama_index_medqa.evaluation.score import Score, Unit

# Of our own measures, those of which less is better, whoever judges; a file says so of its own.
_LESS_IS_BETTER = frozenset({"Seconds", "Tokens", "RetractedEvidence", "CitationContradiction"})
_OWN_COLUMNS = ("id", "group", "question")


def read_any_results(path: str | Path) -> Results:
    """Read a file of ``medqa evaluate``, or of scores of any other system.

    Scores are JSON lines such as ``{"id": "1", "scores": {"Accuracy": 1, "Seconds": null}}`` with ``group`` and
    ``question`` where known, or CSV with the columns ``id`` and one for each measure. A number may be missing (null,
    NaN or an empty field), or be ``{"unscored": REASON}``, or ``{"not_applicable": REASON}`` where none was due. A
    first line ``{"system": NAME, "measures": {"Seconds": {"unit": "seconds", "higher_is_better": false}}}`` says what a
    name does not.

    Raises:
        InputError: the file is missing or is none of these; the message names the line.
    """
    file = Path(path)
    text = _text(file)
    if _is_of_evaluate(text):
        return read_results(file)
    if text.lstrip().startswith("{"):
        head, rows = _json_rows(text, file)
    else:
        head, rows = {}, _csv_rows(text, file)
    return _results(file, head, rows)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no file of results ({error}): write one with medqa evaluate.") from error


def _is_of_evaluate(text: str) -> bool:
    try:
        data = json.loads(text)
    except ValueError:
        # A broken file of ours is told as such, and not as a broken line of scores.
        return text.lstrip().startswith("{") and f'"format": "{FORMAT}"' in text[:200]
    return isinstance(data, dict) and ("format" in data or "cases" in data)


def _json_rows(text: str, file: Path) -> tuple[Mapping[str, Any], list[tuple[str, Mapping[str, Any]]]]:
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{file}, line {number}: not JSON ({error}). Correct or remove the line.") from error
        if not isinstance(row, dict):
            raise InputError(f"{file}, line {number}: must be a JSON object, got {type(row).__name__}.")
        rows.append((f"{file}, line {number}", row))
    head = rows.pop(0)[1] if rows and "id" not in rows[0][1] and rows[0][1].keys() & {"system", "measures"} else {}
    return head, rows


def _csv_rows(text: str, file: Path) -> list[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    names = [name for name in reader.fieldnames or () if name not in _OWN_COLUMNS]
    if "id" not in (reader.fieldnames or ()) or not names:
        raise InputError(
            f"{file} is no file of results: write one with medqa evaluate, or give lines of JSON with 'id' and "
            "'scores', or CSV with the column 'id' and one for each measure."
        )
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for row in reader:
        location = f"{file}, line {reader.line_num}"
        scores = {name: _csv_number(row[name], f"{location}: {name}") for name in names}
        rows.append((location, {**{name: row[name] for name in _OWN_COLUMNS if name in row}, "scores": scores}))
    return rows


def _csv_number(field: str | None, location: str) -> float | None:
    if field is None or not field.strip():
        return None
    try:
        return float(field)
    except ValueError as error:
        raise InputError(f"{location} must be a number or empty, got {field!r}.") from error


def _results(file: Path, head: Mapping[str, Any], rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Results:
    cases: dict[str, CaseResult] = {}
    for location, row in rows:
        case = _case(row, location)
        if case.case_id in cases:
            raise InputError(f"{location}: the case {case.case_id!r} has scores already. Give each case one line.")
        cases[case.case_id] = case
    names = list(dict.fromkeys(name for case in cases.values() for name in case.scores))
    if not names:
        raise InputError(f"{file} holds no score: give lines with 'id' and 'scores'.")
    told = head.get("measures") or {}
    if not (isinstance(told, dict) and all(isinstance(one, dict) for one in told.values())):
        raise InputError(f"{file}: 'measures' must describe each measure by an object, got {told!r}.")
    if strange := sorted(set(told) - set(names)):
        raise InputError(f"{file} describes measures without a score: {', '.join(strange)}.")
    infos = [_info(name, told.get(name, {}), cases.values(), file) for name in names]
    missing = Score.unscored("no score in the file")
    whole = [
        CaseResult(
            case.case_id, case.question, case.cluster, None, "", {**dict.fromkeys(names, missing), **case.scores}
        )
        for case in cases.values()
    ]
    return Results({"scores": str(head.get("system") or file.stem)}, "", infos, whole)


def _case(row: Mapping[str, Any], location: str) -> CaseResult:
    scores = row.get("scores")
    if row.get("id") in (None, "") or not isinstance(scores, dict):
        raise InputError(f"{location}: must have 'id', and 'scores' as an object of numbers by measure.")
    try:
        read = {str(name): _score(value) for name, value in scores.items()}
    except InputError as error:
        raise InputError(f"{location}: {error}") from error
    case_id = str(row["id"])
    return CaseResult(case_id, str(row.get("question") or ""), str(row.get("group") or case_id), None, "", read)


def _score(value: Any) -> Score:
    return Score.of(float(value)) if isinstance(value, bool) else Score.from_data(value)


def _info(name: str, told: Mapping[str, Any], cases: Iterable[CaseResult], file: Path) -> MeasureInfo:
    known = [case.scores[name].value for case in cases if name in case.scores]
    numbers = [value for value in known if value is not None]
    unit: Any = told.get("unit") or _usual_unit(name, numbers)
    if unit not in get_args(Unit):
        raise InputError(f"{file}: the unit of {name!r} must be one of {', '.join(get_args(Unit))}, got {unit!r}.")
    if unit == "share" and not all(0.0 <= value <= 1.0 for value in numbers):
        raise InputError(f"{file}: {name!r} is called a share and has scores outside 0 to 1.")
    higher = told.get("higher_is_better", name.partition("(")[0] not in _LESS_IS_BETTER)
    return MeasureInfo(name, unit, bool(higher), repeatable=True)


def _usual_unit(name: str, numbers: Iterable[float]) -> str:
    if name in ("Seconds", "Tokens"):
        return name.lower()
    return "share" if all(0.0 <= value <= 1.0 and math.isfinite(value) for value in numbers) else "number"
