"""A judge of your own: what it must have, what it is worth beside people's labels, and a measure made of it.

This judge counts words. It is here to lose: it sees whether two texts speak of the same, not whether they agree.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import load_cases
from llama_index_medqa.evaluation.judges.calibration import judge_pairs, load_pairs, quality
from llama_index_medqa.evaluation.measures.faithfulness import faithfulness
from llama_index_medqa.evaluation.score import Score

FOLDER = Path(__file__).parent


class WordJudge:
    """Scores a claim by the share of its words that stand in the best piece of evidence."""

    name = "words"
    # All that decides the scores: the gate compares no scores of two identities.
    identity: Mapping[str, Any] = {"judge": "words", "version": 1}

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """A number from 0 to 1 for each claim; a claim without words is unscored, never 0."""
        texts = [words(text) for text in evidence]
        return [self._score(words(claim), texts) for claim in claims]

    def _score(self, claim: set[str], texts: Sequence[set[str]]) -> Score:
        if not claim:
            return Score.unscored("no words")
        return Score.of(max((len(claim & text) / len(claim) for text in texts), default=0.0))


def words(text: str) -> set[str]:
    """Words in small letters."""
    return {word.strip(".,:;()") for word in text.lower().split()} - {""}


async def main() -> None:
    """Holds the judge against labels, then scores one answer with it."""
    judge = WordJudge()
    pairs = load_pairs(FOLDER / "labelled_pairs.jsonl")
    found = quality(await judge_pairs(judge, pairs), pairs)
    print(f"supported against the rest: AUROC {format_interval(found.auroc)}")
    print(f"supported against refuted:  AUROC {format_interval(found.supported_against_refuted)}")

    measure = faithfulness(judge)
    case = load_cases(FOLDER / "cases.jsonl")[0]
    evidence = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
    answer = Answer("Green tea raised the resting heart rate.", (Evidence("PMID:101", evidence),))
    print(f"{measure.name} of {answer.text!r}: {(await measure.ascore(case, answer)).value}")


def format_interval(interval: Any) -> str:
    """A figure with its interval."""
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"


if __name__ == "__main__":
    asyncio.run(main())
