"""Which drafted sentences does verification pass, and are they true?

    python -m benchmarks.verification.draft_scoreboard --work FOLDER [--split calibration|final] [--data DATA]
        [--labels FILE] [--limit N] [--model FOLDER]

Asks the engine of the embedded profile the 150 + 150 questions of one part of ``qa/split.json``, the sets taking turns,
and keeps in FOLDER/SPLIT.jsonl for each question what was retrieved, what the model was shown and drafted, and what
became of each sentence. FOLDER/drafts.jsonl keeps the drafts by what the model was asked. Stop it at any time; the same
command goes on. Indexes are built once, in FOLDER/indexes. ``--limit`` asks N questions of each set.

Where a sentence has a label (``labelled_drafts.jsonl``; its rules: ``labelled_drafts.md``), it is judged again by the
current code against what was kept, without any model that drafts. A label whose sentence was not drafted this time is
counted and left out. Printed and written to
``results/draft_scoreboard.json`` are

- precision: share of the sentences that pass as *supported* whose label is *supported*;
- recall: share of the sentences labelled *supported* that pass;
- the same two for *contradicted*;
- the most of the *supported* sentences that can pass at a precision of .95 or more, if whatever has at least some
  support passes, and that support;

each over both sets and over each, the first two with 95 % intervals of a bootstrap over questions, for each
strictness. A sentence that claims nothing (``not_a_claim``) and passes counts against precision, because it would stand
in an answer.

Thresholds are set on ``calibration``. ``final`` is asked once, at the end.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from llama_index.llms.openai_like import OpenAILike

from benchmarks.common.answer_sets import NAMES, AnswerSet, load_answer_set, open_answer_index
from benchmarks.common.cached_llm import KeptDrafts
from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import provenance, write_results
from benchmarks.verification.drafted_answers import NEVER_VERIFIED, SPLITS, DraftedAnswers, passages_in, read_rows
from benchmarks.verification.measured_model import KeptJudgements, add_model_option
from llama_index_medqa.components import open_drafter, open_embedder
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.verification.entailment import EntailmentEncoder, EntailmentModel
from llama_index_medqa.verification.passages import Passage
from llama_index_medqa.verification.verdicts import AnswerSentence, Strictness
from llama_index_medqa.verification.verifier import ClaimVerifier, Verifier

Label = Literal["supported", "contradicted", "not_enough", "not_a_claim"]
Judge = Callable[[str, Sequence[Passage], str], AnswerSentence]
"""Judges a sentence by the passages and the question."""

TARGET_PRECISION = 0.95
LABELS = Path(__file__).with_name("labelled_drafts.jsonl")


@dataclass(frozen=True)
class LabelledSentence:
    """A drafted sentence with its label by a reader.

    Attributes:
        question_id: PMID (PubMedQA) or BioASQ's id.
        set: one of ``answer_sets.NAMES``.
        sentence: as the model wrote it.
        label: the reader's.
    """

    question_id: str
    set: str
    sentence: str
    label: Label


@dataclass(frozen=True)
class LabelledVerdict:
    """A labelled sentence with verdict and support by the current code."""

    labelled: LabelledSentence
    verdict: str
    support: float


def sentence_sha(sentence: str) -> str:
    """Return the key of a sentence in the labels.

    The first twelve digits of its SHA-256.
    """
    return hashlib.sha256(sentence.encode()).hexdigest()[:12]


def read_labels(file: Path) -> list[LabelledSentence]:
    """Return the labels of a file.

    Raises:
        ValueError: a label is none, or a sentence was changed after it was labelled.
    """
    labels = []
    for number, row in enumerate(read_rows(file), start=1):
        if row["label"] not in get_args(Label):
            raise ValueError(f"{file}:{number}: the label {row['label']!r} is none of {', '.join(get_args(Label))}.")
        if sentence_sha(row["sentence"]) != row["sentence_sha"]:
            raise ValueError(f"{file}:{number}: the sentence is not the one of {row['sentence_sha']}: restore it.")
        labels.append(LabelledSentence(row["question_id"], row["set"], row["sentence"], row["label"]))
    return labels


def labels_of(rows: Iterable[dict[str, Any]], labels: Iterable[LabelledSentence]) -> list[LabelledSentence]:
    """Return the labels of sentences in the kept draft of their question."""
    drafted = {(row["set"], row["case"], sentence["sentence"]) for row in rows for sentence in row["sentences"]}
    return [one for one in labels if (one.set, one.question_id, one.sentence) in drafted]


def judge_labelled(
    labels: Sequence[LabelledSentence], answers: Iterable[dict[str, Any]], judge: Judge
) -> Iterator[LabelledVerdict]:
    """Judge the labelled sentences by what was retrieved for them.

    What the engine leaves out without verifying it ("The passage states ...") cannot pass here either.

    Args:
        labels: sentences of these answers.
        answers: kept answers, of these and other questions.
        judge: gives verdicts.
    """
    kept = {(row["set"], row["case"]): row for row in answers}
    for labelled in labels:
        row = kept[labelled.set, labelled.question_id]
        became = next(one["became"] for one in row["sentences"] if one["sentence"] == labelled.sentence)
        if became in NEVER_VERIFIED:
            yield LabelledVerdict(labelled, became, 0.0)
        else:
            found = judge(labelled.sentence, passages_in(row), row["asked"])
            yield LabelledVerdict(labelled, found.verdict, found.support)


def measure(judged: Sequence[LabelledVerdict]) -> dict[str, Any]:
    """Return precision and recall of passed and of contradicted sentences."""
    return {
        "sentences": len(judged),
        "labels": dict(Counter(one.labelled.label for one in judged)),
        "passing": dict(Counter(one.labelled.label for one in judged if one.verdict == "supported")),
        **{label: _precision_and_recall(judged, label) for label in ("supported", "contradicted")},
        f"recall at {TARGET_PRECISION} precision": recall_at_precision(judged, TARGET_PRECISION),
    }


def recall_at_precision(judged: Sequence[LabelledVerdict], target: float) -> dict[str, float] | None:
    """Return the largest share of supported sentences at a precision.

    By some least support.

    Args:
        judged: the sentences.
        target: least share of right ones among those that pass, 0 to 1.

    Returns:
        The recall and the least support; None where no support reaches the precision.
    """
    right = sum(one.labelled.label == "supported" for one in judged)
    for least in sorted({one.support for one in judged}):
        passing = [one.labelled.label == "supported" for one in judged if one.support >= least]
        if sum(passing) >= target * len(passing):
            return {"recall": round(sum(passing) / right, 4) if right else 0.0, "least support": least}
    return None


def _precision_and_recall(judged: Sequence[LabelledVerdict], label: str) -> dict[str, Any]:
    return {
        "precision": _share([one for one in judged if one.verdict == label], lambda one: one.labelled.label == label),
        "recall": _share([one for one in judged if one.labelled.label == label], lambda one: one.verdict == label),
    }


def _share(some: Sequence[LabelledVerdict], holds: Callable[[LabelledVerdict], bool]) -> dict[str, float] | None:
    """Return a share with its interval; None of no sentences."""
    if not some:
        return None
    questions = [(one.labelled.set, one.labelled.question_id) for one in some]
    estimate = bootstrap_mean([float(holds(one)) for one in some], groups=questions)
    return {"share": round(estimate.mean, 4), "low": round(estimate.low, 4), "high": round(estimate.high, 4)}


def outcomes(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the outcomes of the questions and of the drafted sentences."""
    return {
        "questions": len(rows),
        "without a draft": sum(row["draft"] is None for row in rows),
        "abstained": dict(Counter(row["abstained"] for row in rows if row["abstained"])),
        "sentences": dict(Counter(sentence["became"] for row in rows for sentence in row["sentences"])),
        "verdicts": dict(
            Counter(sentence["verdict"] for row in rows for sentence in row["sentences"] if "verdict" in sentence)
        ),
    }


def collect(sets: Sequence[AnswerSet], split: str, work: Path, limit: int, verifier: Verifier) -> None:
    """Ask what was not asked yet, and store each answer at once.

    A line of ``work/SPLIT.jsonl`` for each.
    """
    file = work / f"{split}.jsonl"
    rows = list(read_rows(file)) if file.exists() else []
    # A line that an interruption broke off would spoil the one after it.
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    asked = {(row["set"], row["case"]) for row in rows}
    todo = [
        (chosen, getattr(chosen, split)[number])
        for number in range(limit)
        for chosen in sets
        if number < len(getattr(chosen, split))
    ]
    todo = [(chosen, case) for chosen, case in todo if (chosen.name, case.case_id) not in asked]
    if not todo:
        return
    embedder = open_embedder(EMBEDDED)
    indexes = {chosen.name: open_answer_index(chosen, embedder, work / "indexes") for chosen in sets}
    with open_drafter(EMBEDDED) as model, file.open("a", encoding="utf-8") as stream:
        assert isinstance(model, OpenAILike)
        drafter = KeptDrafts(model, work / "drafts.jsonl")
        drafted = {chosen.name: DraftedAnswers(chosen, indexes[chosen.name], drafter, verifier) for chosen in sets}
        for number, (chosen, case) in enumerate(todo, start=1):
            stream.write(json.dumps(drafted[chosen.name].row(case, split), ensure_ascii=False) + "\n")
            stream.flush()
            print(f"{number} of {len(todo)}: {chosen.name} {case.case_id}", file=sys.stderr, flush=True)


def judge_with(verifier: Verifier) -> Judge:
    """Return a function that verifies one sentence."""

    def judge(sentence: str, passages: Sequence[Passage], question: str) -> AnswerSentence:
        return verifier.verify([sentence], passages, question)[0]

    return judge


def scoreboard(
    labels: Sequence[LabelledSentence], rows: Sequence[dict[str, Any]], model: EntailmentModel
) -> dict[str, Any]:
    """Return the figures of a model by strictness, for each set and both."""
    found: dict[str, Any] = {}
    for strictness in get_args(Strictness):
        verifier = ClaimVerifier(model, strictness)
        judged = list(judge_labelled(labels, rows, judge_with(verifier)))
        by_set = {name: [one for one in judged if one.labelled.set == name] for name in NAMES}
        found[strictness] = {
            "verifier": dict(verifier.identity),
            "both": measure(judged),
            **{name: measure(some) for name, some in by_set.items() if some},
        }
    return found


def main() -> None:
    """Collect, judge the labelled sentences, print and write the results."""
    options = _options()
    sets = [load_answer_set(name, options.data) for name in NAMES]
    options.work.mkdir(parents=True, exist_ok=True)
    model = KeptJudgements(EntailmentEncoder(options.model))
    collect(sets, options.split, options.work, options.limit, ClaimVerifier(model))
    rows = list(read_rows(options.work / f"{options.split}.jsonl"))
    labels = read_labels(options.labels) if options.labels.exists() else []
    there = labels_of(rows, labels)
    by_set = {name: [row for row in rows if row["set"] == name] for name in NAMES}
    results: dict[str, Any] = {"outcomes": {name: outcomes(some) for name, some in by_set.items()}}
    if there:
        results["labels"] = {"all": len(labels), "drafted": len(there)}
        results["labelled"] = scoreboard(there, rows, model)
        origin = provenance([options.labels], ["chromadb", "xllamacpp", "torch"])
        write_results("draft_scoreboard", {"provenance": origin, **results})
    print(json.dumps(results, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="calibration")
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--limit", type=int, default=1_000, help="questions of each set")
    add_data_option(parser)
    add_model_option(parser)
    options = parser.parse_args()
    require_data(options.data)
    return options


if __name__ == "__main__":
    main()
