"""Mixes the verifier's training pairs: public sets, twins made by code, written claims."""

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.windows import windows_of
from training.verifier.abstracts import without_section_label
from training.verifier.rows import read_rows

# 6,312 claims that a language model wrote by reading 493 CC BY and CC0 abstracts, in the form of answers to questions;
# by PMID and number of sentence, without the abstracts. The claims may be used as CC0.
OWN_CLAIMS = Path(__file__).parent / "claims.jsonl.gz"

# The share of claims that are shown a window as the verifier cuts it; the others are shown the sentences that decide.
_AS_READ = 0.5
# Of those others the share whose evidence is given without its title, and without the sentences before and after.
_NO_TITLE = 0.3
_NO_NEIGHBOURS = 0.4
_MOST_WORDS = 90
# Wrong claims that are also shown a window that does not decide them: the verifier trusts the window that is surest.
_WRONG_ELSEWHERE = 0.2
# Supported claims that are also shown with sentences of the abstract that do not decide them: the claim alone must not
# tell its label.
_ELSEWHERE = 0.12
_MOST_SHARED_WORDS = 0.5
_OF_CLAIMS = {"supported": "entailment", "contradicted": "contradiction", "not_stated": "neutral"}


@dataclass(frozen=True)
class TrainingPair:
    """A premise and a hypothesis with their label.

    Attributes:
        premise: the evidence.
        hypothesis: the claim.
        label: ``entailment``, ``neutral``, ``contradiction``, or ``not_entailment`` where a set does not say which.
        source: the set it is of.
        group: pairs of one group belong to the same part of the data.
    """

    premise: str
    hypothesis: str
    label: str
    source: str
    group: str


def public_pairs(file: Path, caps: Mapping[str, int], seed: int, most_words: int) -> list[TrainingPair]:
    """Return pairs of the public sets, capped for each set.

    Args:
        file: JSON lines, gzip: {premise, hypothesis, label, source, group}.
        caps: for each set that is used the most pairs.
        seed: decides which.
        most_words: longer pairs are left out.
    """
    by_source: dict[str, list[TrainingPair]] = {name: [] for name in caps}
    for row in read_rows(file):
        words = len(row["premise"].split()) + len(row["hypothesis"].split())
        if row["source"] in caps and words <= most_words:
            fields = (row[name] for name in ("premise", "hypothesis", "label", "source", "group"))
            by_source[row["source"]].append(TrainingPair(*fields))
    chosen = []
    for name, pairs in by_source.items():
        random.Random(f"{seed} {name}").shuffle(pairs)  # noqa: S311
        chosen += pairs[: caps[name]]
    return chosen


def claim_pairs(folder: Path, part: str, seed: int) -> list[TrainingPair]:
    """Return pairs of the written claims with their evidence.

    The sentences that decide a claim, and some around them.

    Args:
        folder: holds ``claims.jsonl.gz`` and ``abstracts.jsonl.gz``.
        part: ``train`` or ``dev``.
        seed: decides what stands around the deciding sentences; take another one for each epoch.
    """
    abstracts = {row["pmid"]: row for row in read_rows(folder / "abstracts.jsonl.gz")}
    return _pairs_of_claims(read_rows(folder / "claims.jsonl.gz"), abstracts, part, seed)


def own_claim_pairs(data: Path, part: str, seed: int) -> list[TrainingPair]:
    """Return pairs of our own claims.

    They lie beside this module; arguments as of :func:`claim_pairs`.

    Args:
        data: the folder with ``claims`` and ``sft``, which hold their abstracts.
        part: ``train`` or ``dev``.
        seed: as of :func:`claim_pairs`.
    """
    return _pairs_of_claims(read_rows(OWN_CLAIMS), own_claim_abstracts(data), part, seed)


def own_claim_abstracts(data: Path) -> dict[str, dict[str, Any]]:
    """Return the abstracts of our own claims, by PMID.

    Each is {pmid, title, sentences}.

    Args:
        data: the folder with ``claims`` and ``sft``.
    """
    wanted = {row["pmid"] for row in read_rows(OWN_CLAIMS)}
    found = {row["pmid"]: row for row in read_rows(data / "claims" / "abstracts.jsonl.gz") if row["pmid"] in wanted}
    for row in read_rows(data / "sft" / "pmcoa_ccby_cc0.jsonl"):
        if row["pmid"] in wanted - found.keys():
            spans = split_sentences(row["abstract"])
            sentences = [without_section_label(row["abstract"][start:end]) for start, end in spans]
            found[row["pmid"]] = {"pmid": row["pmid"], "title": row["title"], "sentences": sentences}
    return found


def _pairs_of_claims(
    rows: Iterable[Mapping[str, Any]], abstracts: Mapping[str, Mapping[str, Any]], part: str, seed: int
) -> list[TrainingPair]:
    rng = random.Random(f"{seed} claims")  # noqa: S311
    pairs: list[TrainingPair] = []
    for row in rows:
        if row["part"] == part:
            pairs += _pairs_of_claim(row, abstracts[row["pmid"]], rng)
    return pairs


def _pairs_of_claim(row: Mapping[str, Any], abstract: Mapping[str, Any], rng: random.Random) -> Iterator[TrainingPair]:
    sentences, deciding = abstract["sentences"], [number - 1 for number in row["sentences"]]
    kind, claim, label = f"claims {row['kind']}", row["claim"], _OF_CLAIMS[row["label"]]
    decide = {sentences[number] for number in deciding}
    read = [(window, {one.text for one in window.sentences}) for window in windows_of(claim, passage_of(abstract))]
    deciding_windows = [window for window, held in read if decide <= held]
    other_windows = [window for window, held in read if not decide & held]
    if deciding_windows and rng.random() < _AS_READ:
        premise = rng.choice(deciding_windows).premise
    else:
        title = None if rng.random() < _NO_TITLE else abstract["title"]
        premise = premise_of(title, sentences, _with_neighbours(sentences, deciding, rng))
    yield TrainingPair(premise, claim, label, kind, row["pmid"])
    if row["label"] != "supported":
        if other_windows and rng.random() < _WRONG_ELSEWHERE:
            yield TrainingPair(rng.choice(other_windows).premise, claim, "not_entailment", kind, row["pmid"])
    elif rng.random() < _ELSEWHERE:
        others = _elsewhere(claim, sentences, deciding)
        if others:
            first = rng.choice(others)
            premise = premise_of(None, sentences, [number for number in (first, first + 1) if number in others])
            yield TrainingPair(premise, claim, "neutral", "claims elsewhere", row["pmid"])


def _with_neighbours(sentences: Sequence[str], deciding: Sequence[int], rng: random.Random) -> list[int]:
    chosen = set(deciding)
    if rng.random() < _NO_NEIGHBOURS:
        return sorted(chosen)
    wanted = rng.randint(40, _MOST_WORDS)
    near = [number + step for step in (-1, 1, -2, 2) for number in deciding if rng.random() < 0.6]
    for number in near:
        words = sum(len(sentences[one].split()) for one in chosen)
        if 0 <= number < len(sentences) and words + len(sentences[number].split()) <= wanted:
            chosen.add(number)
    return sorted(chosen)


def _elsewhere(claim: str, sentences: Sequence[str], deciding: Sequence[int]) -> list[int]:
    """Return the sentences that hardly support a claim.

    They share few words with it.
    """
    wanted = content_words(claim)
    near = {number + step for number in deciding for step in (-1, 0, 1)}
    return [
        number
        for number, sentence in enumerate(sentences)
        if number not in near and len(wanted & content_words(sentence)) < _MOST_SHARED_WORDS * len(wanted)
    ]


def premise_of(title: str | None, sentences: Sequence[str], chosen: Iterable[int]) -> str:
    """Return the evidence as the verifier reads it.

    The title, then the chosen sentences in their order.
    """
    body = " ".join(sentences[number] for number in chosen)
    return f"{title.rstrip('.')}. {body}" if title else body


def passage_of(abstract: Mapping[str, Any]) -> Passage:
    """Return an abstract {pmid, title, sentences} as a passage.

    Title, then the sentences with a space between.
    """
    text = f"{abstract['title']}\n"
    sentences = [EvidenceSentence(abstract["title"], 0, len(abstract["title"]), complete=True, in_title=True)]
    for sentence in abstract["sentences"]:
        start = len(text)
        text += f"{sentence} "
        sentences.append(EvidenceSentence(sentence, start, start + len(sentence), complete=True, in_title=False))
    return Passage(f"PMID:{abstract['pmid']}", abstract["title"], text, 0, tuple(sentences))


class KeptOut:
    """Finds rows on questions that nothing may be trained on.

    Args:
        texts: questions, answers and passages that are kept out.
        pmids: papers that are kept out.
    """

    def __init__(self, texts: Iterable[str], pmids: Iterable[str]) -> None:
        self._texts = {_plain(text) for text in texts}
        self._pmids = frozenset(pmids)

    def holds(self, pair: TrainingPair) -> bool:
        """Return whether a pair's claim, evidence or paper is kept out."""
        return (
            _plain(pair.premise) in self._texts
            or _plain(pair.hypothesis) in self._texts
            or pair.group.removeprefix("PMID:") in self._pmids
        )


def kept_out(questions: Path) -> KeptOut:
    """Return what the ``final`` and ``calibration`` questions rest on.

    Args:
        questions: the folder with ``split.json``, ``pubmedqa_dev.jsonl`` and ``bioasq``.
    """
    split = json.loads((questions / "split.json").read_text(encoding="utf-8"))
    ids = {name: {*parts["final"], *parts["calibration"]} for name, parts in split.items()}
    texts, pmids = [], set[str]()
    for row in read_rows(questions / "pubmedqa_dev.jsonl"):
        if row["pmid"] in ids["PubMedQA"]:
            texts += [row["question"], row["long_answer"], *row["contexts"]]
            pmids.add(row["pmid"])
    for row in read_rows(questions / "bioasq" / "questions.jsonl"):
        if row["id"] in ids["BioASQ"]:
            texts += [row["question"], *row["ideal_answers"]]
            pmids.update(map(str, row["gold_pmids"]))
    return KeptOut(texts, pmids)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
