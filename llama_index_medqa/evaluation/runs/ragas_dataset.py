"""ragas' ``EvaluationDataset`` in and out: its samples as cases and answers, and the other way."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase, as_cases
from llama_index_medqa.evaluation.judges.ragas import load_ragas
from llama_index_medqa.evaluation.runs.systems import KnownAnswers

if TYPE_CHECKING:
    from ragas import EvaluationDataset


def cases_of_samples(samples: "EvaluationDataset | Iterable[Mapping[str, Any]]") -> list[EvaluationCase]:
    """Return ragas' samples as cases, with their positions from 1 as ids.

    ``reference`` is the gold answer, ``reference_contexts`` the gold evidence, and ``reference_context_ids`` are the
    gold documents.

    Args:
        samples: a dataset of single turns, or rows with the fields of its samples.

    Raises:
        InputError: a sample has no question, or is of several turns.
    """
    return as_cases(
        {
            "id": str(number),
            "question": _question(row, number),
            "gold_answer": row.get("reference"),
            "gold_evidence": row.get("reference_contexts"),
            "gold_documents": row.get("reference_context_ids"),
        }
        for number, row in enumerate(_rows(samples), start=1)
    )


def answers_of_samples(samples: "EvaluationDataset | Iterable[Mapping[str, Any]]") -> KnownAnswers:
    """Return the responses in ragas' samples as a system, for ``evaluate(answers_of_samples(...), cases)``.

    Samples without a response have no answer, and count as failures.

    Args:
        samples: see :func:`cases_of_samples`.

    Raises:
        InputError: a sample has other than one id for each of its contexts.
    """
    answers = {
        str(number): Answer(str(row["response"]), _evidence(row, number))
        for number, row in enumerate(_rows(samples), start=1)
        if row.get("response") is not None
    }
    return KnownAnswers(answers, {"answers": "ragas EvaluationDataset"})


def samples_of(cases: Sequence[EvaluationCase], answers: Sequence[Answer | None]) -> list[dict[str, Any]]:
    """Return cases and answers as rows with the fields of ragas' ``SingleTurnSample``.

    Args:
        cases: the cases.
        answers: one for each; None where the system failed.
    """
    return [
        {key: value for key, value in _sample(case, answer).items() if value is not None}
        for case, answer in zip(cases, answers, strict=True)
    ]


def as_ragas_dataset(cases: Sequence[EvaluationCase], answers: Sequence[Answer | None]) -> "EvaluationDataset":
    """Return cases and answers as an ``EvaluationDataset``; see :func:`samples_of`.

    Raises:
        MissingExtraError: ragas is not installed.
        InputError: ragas cannot be imported.
    """
    load_ragas()
    from ragas import EvaluationDataset

    return EvaluationDataset.from_list(samples_of(cases, answers))


def _sample(case: EvaluationCase, answer: Answer | None) -> dict[str, Any]:
    sample: dict[str, Any] = {
        "user_input": case.prompt,
        "reference": next(iter(case.gold_answers), None),
        "reference_contexts": list(case.gold_evidence) or None,
        "reference_context_ids": list(case.gold_documents) or None,
    }
    if answer is None:
        return sample
    sample["response"] = answer.text
    if answer.evidence is not None:
        sample["retrieved_contexts"] = [piece.text for piece in answer.evidence]
        sample["retrieved_context_ids"] = [piece.name_like(case.gold_documents) for piece in answer.evidence]
    return sample


def _rows(samples: "EvaluationDataset | Iterable[Mapping[str, Any]]") -> list[Mapping[str, Any]]:
    as_list = getattr(samples, "to_list", None)
    return list(as_list() if as_list else samples)


def _question(row: Mapping[str, Any], number: int) -> str:
    question = row.get("user_input")
    if not isinstance(question, str):
        raise InputError(f"sample {number}: user_input must be a question as a text (no several turns): {question!r}.")
    return question


def _evidence(row: Mapping[str, Any], number: int) -> tuple[Evidence, ...] | None:
    texts, ids = row.get("retrieved_contexts"), row.get("retrieved_context_ids")
    if texts is None and ids is None:
        return None
    texts = texts if texts is not None else [""] * len(ids or ())
    names = ids if ids is not None else [""] * len(texts)
    if len(texts) != len(names):
        raise InputError(
            f"sample {number}: {len(texts)} retrieved_contexts have {len(names)} retrieved_context_ids: give an id "
            "for each."
        )
    return tuple(Evidence(str(name), str(text)) for name, text in zip(names, texts, strict=True))
