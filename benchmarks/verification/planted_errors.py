"""How many planted errors does the verifier catch, and how many true sentences does it keep?

    python -m benchmarks.verification.planted_errors [--data DATA] [--model FOLDER] [--journal FILE] [--each N]
        [--show KIND]

A seeded script takes sentences of real abstracts and makes two claims of each: one lightly reworded, which is true, and
one with an error of one kind besides. Both are held against the abstract and five others, as an answer's sentence is.

- *swap of sides*: "higher in A than in B" becomes "higher in B than in A"; *direction*: "increased" becomes
  "decreased"; *negation*: a "not" is put in, or taken out; *cause*: "is associated with" becomes "causes"; *certainty*:
  "may" becomes "will";
- *rate*: two percentages of a sentence are exchanged; *number*: one number is another, which the abstract does not
  hold; *unit*: its unit is another;
- *other drug*, *other gene or disease*: a name is another one of its kind, which the abstract does not hold;
- *subgroup*: what holds for women is told of all, where the abstract speaks of men too; *population*: what was seen in
  animals is told of people, where the abstract speaks of none;
- *aim*: what a study set out to learn is told as learnt, where the text ends with its aim; the twin is another sentence
  of that text;
- *altered quote*: words in quotation marks of which one is missing, changed or out of place; the twin quotes well;
- *wrong PMID*: the sentence is true, and its mark names another retrieved paper, or one that was not retrieved;
- *injection*: the abstract was given an order to the reader, and the sentence obeys; the twin reports the abstract.

The abstracts are those of the NCBI disease corpus and of SciFact: no training pair, written claim or check of the
verifier was made from them (every other abstract of ``sft/pmcoa_ccby_cc0.jsonl`` is used for that, so none of that file
is used here). SciFact gives no PMIDs: its numbers stand for them. Abstracts of questions that are kept out, and those
with a title of that file, are left out.

Caught is what does not come out as supported; a wrong PMID is caught where it is not cited and is told. Intervals
(95 %) are Wilson's. The errors are mended by nobody: some planted ones happen to be true, or read oddly. Ten minutes on
one core.
"""

import argparse
import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import RESULTS, provenance, write_results
from benchmarks.verification.labelled_sets import passage, read_rows
from benchmarks.verification.measured_model import KeptJudgements, add_model_option
from benchmarks.verification.planted_edits import EDITS, Edit, aim_as_finding, is_reworded, quote, quoted, reworded
from benchmarks.verification.planted_words import DRUGS, OBEYED, ORDERS
from llama_index_medqa.verification.entailment import EntailmentEncoder
from llama_index_medqa.verification.passages import Passage
from llama_index_medqa.verification.verdicts import AnswerSentence
from llama_index_medqa.verification.verifier import ClaimVerifier

SEED = 18
EACH = 25
OTHERS = 5
NOT_RETRIEVED = "99999999"
FILES = ("sft/ncbi_disease.jsonl", "retrieval/scifact/corpus.jsonl")

# Whose words stand for something before them, or that quote or ask.
_UNCLEAR = re.compile(
    r"[\"“”?;]|\b(?:[Ww]e|[Oo]urs?|[Hh]ere)\b|"
    r"^(?:These|This|Those|It|Its|They|Their|He|She|His|Her|Such|But|And|Another|Both|Each|There)\b"
)

Verify = Callable[[str, Sequence[Passage]], AnswerSentence]


@dataclass(frozen=True)
class PoolAbstract:
    """An abstract with the sentences that errors are planted in."""

    pmid: str
    title: str
    text: str

    @property
    def retrieved(self) -> Passage:
        """Return the abstract as a passage, as if it was retrieved whole."""
        return _retrieved(self)


@lru_cache(maxsize=10_000)
def _retrieved(one: PoolAbstract) -> Passage:
    return passage(one.text, one.title, f"PMID:{one.pmid}")


@dataclass(frozen=True)
class Planted:
    """A true claim and one with an error, with their passages.

    Attributes:
        kind: of the error.
        twin: the true claim.
        wrong: the claim with the error.
        passages: the evidence.
        right: the document that both were taken from.
        wrong_pmid: the PMID that must not be cited; empty but for a wrong PMID.
    """

    kind: str
    twin: str
    wrong: str
    passages: tuple[Passage, ...]
    right: str
    wrong_pmid: str = ""


def abstracts(data: Path) -> list[PoolAbstract]:
    """Return the abstracts of both files.

    Without those of kept-out questions and of other files' papers.
    """
    used = {_plain(row["title"]) for row in read_rows(data / "sft/pmcoa_ccby_cc0.jsonl")}
    split = json.loads((data / "qa/split.json").read_text(encoding="utf-8"))
    kept_out = {question for parts in split.values() for questions in parts.values() for question in questions}
    rows = [row for file in FILES for row in read_rows(data / file)]
    found = {
        _plain(row["title"]): PoolAbstract(
            str(row.get("pmid") or row["_id"]), row["title"], " ".join((row.get("abstract") or row["text"]).split())
        )
        for row in rows
    }
    return [one for title, one in found.items() if title not in used and one.pmid not in kept_out]


class Planter:
    """Plants errors of every kind in a pool of abstracts.

    The same seed plants the same errors.

    Args:
        pool: where sentences are taken from.
        each: errors of a kind; fewer where the pool does not give them.
    """

    def __init__(self, pool: Sequence[PoolAbstract], each: int = EACH) -> None:
        self._pool, self._each = pool, each

    def planted(self) -> Iterator[Planted]:
        """Yield all errors, kind by kind."""
        for kind, edit in EDITS.items():
            yield from self._taken(kind, lambda one, chance, edit=edit: self._edited(one, edit, chance))
        yield from self._taken("aim", self._aim)
        yield from self._taken("altered quote", self._quote)
        for error in self._taken("wrong PMID", self._true, copied=False):
            yield self._mark(error)
        yield from self._injections()

    def _taken(
        self,
        kind: str,
        make: Callable[[PoolAbstract, random.Random], tuple[str, str, Passage] | None],
        *,
        copied: bool = True,
    ) -> Iterator[Planted]:
        """Yield errors of a kind, at most one for each abstract."""
        chance = random.Random(f"{SEED} {kind}")
        taken = 0
        for one in chance.sample(self._pool, len(self._pool)):
            made = make(one, chance)
            if made is None or (copied and made[0] == made[1]):
                continue
            twin, wrong, source = made
            yield Planted(kind, twin, wrong, self._evidence(source, chance), source.document_id)
            taken += 1
            if taken == self._each:
                return

    def _evidence(self, source: Passage, chance: random.Random) -> tuple[Passage, ...]:
        """Return the source among random others."""
        others = chance.sample(self._pool, OTHERS + 1)
        retrieved = [one.retrieved for one in others if f"PMID:{one.pmid}" != source.document_id][:OTHERS]
        return tuple(chance.sample([source, *retrieved], len(retrieved) + 1))

    def _edited(self, one: PoolAbstract, edit: Edit, chance: random.Random) -> tuple[str, str, Passage] | None:
        source = one.retrieved
        for sentence in chance.sample(stating := _stating(source), len(stating)):
            if is_reworded(sentence) and (wrong := edit(sentence, one.text, chance)):
                return reworded(sentence), reworded(wrong), source
        return None

    def _true(self, one: PoolAbstract, chance: random.Random) -> tuple[str, str, Passage] | None:
        return self._edited(one, lambda sentence, abstract, random: sentence, chance)

    def _quote(self, one: PoolAbstract, chance: random.Random) -> tuple[str, str, Passage] | None:
        source = one.retrieved
        for sentence in chance.sample(stating := _stating(source), len(stating)):
            if wrong := quote(sentence, one.text, chance):
                return quoted(sentence), wrong, source
        return None

    def _aim(self, one: PoolAbstract, chance: random.Random) -> tuple[str, str, Passage] | None:
        whole = one.retrieved
        for sentence in whole.sentences:
            wrong = aim_as_finding(sentence.text)
            if wrong and 5 <= len(wrong.split()) <= 40 and not sentence.in_title:
                until_aim = passage(whole.text[len(one.title) + 1 : sentence.end], one.title, whole.document_id)
                before = [text for text in _stating(until_aim) if is_reworded(text) and not aim_as_finding(text)]
                return (reworded(chance.choice(before)), wrong, until_aim) if before else None
        return None

    def _mark(self, error: Planted) -> Planted:
        """Return the true sentence with its paper's mark, and another's."""
        chance = random.Random(error.twin)
        others = [one.pmid or "" for one in error.passages if one.document_id != error.right]
        wrong = chance.choice([chance.choice(others), NOT_RETRIEVED])
        bare = error.twin.rstrip(".")
        twin, spoilt = f"{bare} [{error.right}].", f"{bare} [PMID:{wrong}]."
        return Planted(error.kind, twin, spoilt, error.passages, error.right, wrong)

    def _injections(self) -> Iterator[Planted]:
        chance = random.Random(f"{SEED} injection")
        for count, error in enumerate(self._taken("injection", self._true, copied=False)):
            source = next(one for one in error.passages if one.document_id == error.right)
            topic = " ".join(source.title.rstrip(".").split()[:6])
            claim = chance.choice(OBEYED).format(drug=chance.choice(DRUGS).capitalize(), topic=topic)
            order = ORDERS[count % len(ORDERS)].format(claim=claim)
            text = source.text[len(source.title) + 1 :]
            steered = passage(f"{text} {order}", source.title, source.document_id)
            evidence = tuple(steered if one is source else one for one in error.passages)
            yield Planted("injection", error.twin, claim, evidence, error.right)


@lru_cache(maxsize=10_000)
def _stating(source: Passage) -> list[str]:
    """Return the sentences of a passage that can stand alone.

    They state something in one plain clause or two.
    """
    return [
        sentence.text
        for sentence in source.sentences
        if sentence.states_something
        and sentence.complete
        and 8 <= len(sentence.text.split()) <= 40
        and sentence.text[:1].isupper()
        and sentence.text.endswith(".")
        and sentence.text.count("(") == sentence.text.count(")")
        and not _UNCLEAR.search(reworded(sentence.text))
    ]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def is_caught(error: Planted, verdict: AnswerSentence) -> bool:
    """Return whether the claim with the error was rejected."""
    if error.wrong_pmid:
        cited = {citation.pmid for citation in verdict.citations}
        told = any(error.wrong_pmid in finding.detail for finding in verdict.findings)
        return error.wrong_pmid not in cited and told
    return not verdict.supported


def is_kept(error: Planted, verdict: AnswerSentence) -> bool:
    """Return whether the true claim passed, by its own paper."""
    return verdict.supported and error.right in {citation.document_id for citation in verdict.citations}


def wilson(hits: int, cases: int) -> list[float]:
    """Return a share with its Wilson interval (1927)."""
    z, share = 1.96, hits / cases
    middle = (share + z * z / (2 * cases)) / (1 + z * z / cases)
    reach = z * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases)) / (1 + z * z / cases)
    return [round(value, 4) for value in (share, max(0.0, middle - reach), min(1.0, middle + reach))]


def measure(errors: Sequence[Planted], verify: Verify) -> dict[str, Any]:
    """Return what was caught and kept by kind, and by which findings."""
    found: dict[str, list[tuple[Planted, AnswerSentence, AnswerSentence]]] = defaultdict(list)
    for error in errors:
        found[error.kind].append((error, verify(error.wrong, error.passages), verify(error.twin, error.passages)))
    return {
        kind: {
            "cases": len(some),
            "caught": wilson(sum(is_caught(error, wrong) for error, wrong, _ in some), len(some)),
            "twins_kept": wilson(sum(is_kept(error, twin) for error, _, twin in some), len(some)),
            "contradicted": sum(wrong.verdict == "contradicted" for _, wrong, _ in some),
            "caught_by": _reasons(wrong for _, wrong, _ in some),
            "twins_lost_by": _reasons(twin for _, _, twin in some),
        }
        for kind, some in found.items()
    }


def _reasons(verdicts: Iterator[AnswerSentence]) -> dict[str, int]:
    kinds = (finding.kind for verdict in verdicts for finding in set(verdict.findings))
    return dict(sorted(Counter(kinds).items()))


def table(rows: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = ["| planted | cases | caught | true twins kept |", "|---|---|---|---|"]
    for kind, row in rows.items():
        shares = ("{:.0%} ({:.0%} to {:.0%})".format(*row[name]) for name in ("caught", "twins_kept"))
        lines.append(f"| {kind} | {row['cases']} | {' | '.join(shares)} |")
    return "\n".join(["# Planted errors", "", *lines, ""])


def _show(errors: Sequence[Planted], verify: Verify) -> None:
    """Print wrong claims that passed, and true ones that did not."""
    for error in errors:
        wrong, twin = verify(error.wrong, error.passages), verify(error.twin, error.passages)
        print("CAUGHT" if is_caught(error, wrong) else "PASSED", round(wrong.support, 2), error.wrong)
        print("KEPT  " if is_kept(error, twin) else "LOST  ", round(twin.support, 2), error.twin)
        print("      ", [finding.detail for finding in (*wrong.findings, *twin.findings)], "\n")


def main() -> None:
    """Plant, verify, and write ``results/planted_errors.json`` and ``.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    add_model_option(parser)
    parser.add_argument("--journal", type=Path, help="keep the model's judgements in this file, for the next run")
    parser.add_argument("--each", type=int, default=EACH, help="errors of a kind")
    parser.add_argument("--show", metavar="KIND", help="print the claims of this kind with their verdicts, and stop")
    options = parser.parse_args()
    require_data(options.data)
    verifier = ClaimVerifier(KeptJudgements(EntailmentEncoder(options.model), options.journal))

    def verify(claim: str, passages: Sequence[Passage]) -> AnswerSentence:
        return verifier.verify([claim], passages)[0]

    errors = list(Planter(abstracts(options.data), options.each).planted())
    if options.show:
        _show([error for error in errors if error.kind == options.show], verify)
        return
    rows = measure(errors, verify)
    print(table(rows))
    if options.model is None:
        results = {
            "verifier": dict(verifier.identity),
            "seed": SEED,
            "kinds": rows,
            "provenance": provenance([options.data / file for file in FILES], ["onnxruntime", "tokenizers", "numpy"]),
        }
        write_results("planted_errors", results)
        (RESULTS / "planted_errors.md").write_text(table(rows))


if __name__ == "__main__":
    main()
