"""The verifier's training data and their order."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from llama_index_medqa.errors import InputError
from training.verifier.abstracts import kept_out_pmids, read_abstracts
from training.verifier.fit import Fitting
from training.verifier.pairs import TrainingPair, claim_pairs, kept_out, own_claim_pairs, public_pairs
from training.verifier.question_statements import statement_pairs
from training.verifier.twins import make_twins

# Of the 26 public sets those with short pairs, and the fewest style cues in the hypothesis. check_covid is left out to
# be measured on; the files themselves hold neither SciFact nor HealthVer.
_PUBLIC = MappingProxyType(
    {
        "mnli_train15k": 2_000,
        "taxinli": 800,
        "snli_cad": 2_000,
        "fool_me_twice": 1_200,
        "negnli": 1_200,
        "scone": 500,
        "med": 500,
        "fever_symmetric": 1_000,
        "semiauto_wiki": 1_000,
        "citint": 1_000,
        "antoneg": 300,
        "kqa_nli": 300,
        "factcheckgpt_stance": 300,
    }
)
# Of the second round: fewer, for what was learnt to be kept, and two sets of longer evidence.
_PUBLIC_AGAIN = MappingProxyType(
    {
        "mnli_train15k": 900,
        "snli_cad": 600,
        "fool_me_twice": 700,
        "negnli": 400,
        "fever_symmetric": 400,
        "citint": 600,
        "kqa_nli": 300,
        "bioasq_ideal": 1_200,
        "wice": 400,
    }
)
# Of the third round: more of the sets whose hypothesis does not give the label away.
_PUBLIC_WIDER = MappingProxyType(
    {
        "mnli_train15k": 4_000,
        "snli_cad": 2_500,
        "semiauto_wiki": 2_000,
        "taxinli": 1_000,
        "fool_me_twice": 2_400,
        "negnli": 1_500,
        "fever_symmetric": 1_300,
        "citint": 2_000,
        "bioasq_ideal": 968,
        "factcheckgpt_stance": 500,
        "kqa_nli": 280,
        "scone": 300,
        "antoneg": 300,
    }
)


@dataclass(frozen=True)
class VerifierRecipe:
    """The data and settings of one round of training.

    Attributes:
        public: for each public set the most pairs that are taken.
        most_public_words: of a public pair.
        most_twins: pairs that code makes, of each kind.
        apart: whether public pairs and twins are a stage before the claims; else half of them is mixed into each epoch
            of the claims but the last.
        own_claims: whether the last epoch holds the claims that lie beside this module too.
        questions: whether experts' answers to questions of yes or no are among the others.
        claim_epochs: how often the written claims are seen, each time with other sentences around them; of a last
            epoch that is not whole, that share of the claims.
        seed: of everything.
        fitting: see :class:`Fitting`.
    """

    public: Mapping[str, int] = field(default_factory=lambda: _PUBLIC)
    most_public_words: int = 90
    most_twins: int = 300
    apart: bool = True
    questions: bool = False
    own_claims: bool = False
    claim_epochs: float = 1.5
    seed: int = 18
    fitting: Fitting = field(default_factory=Fitting)


ROUNDS = (
    VerifierRecipe(),
    VerifierRecipe(
        public=_PUBLIC_AGAIN,
        most_public_words=130,
        most_twins=120,
        apart=False,
        claim_epochs=2.0,
        seed=19,
        fitting=Fitting(most_tokens=208, seed=19),
    ),
    VerifierRecipe(
        public=_PUBLIC_WIDER,
        most_public_words=130,
        most_twins=120,
        apart=False,
        questions=True,
        own_claims=True,
        claim_epochs=1.5,
        seed=20,
        fitting=Fitting(most_tokens=208, seed=20),
    ),
)


def stages_of(recipe: VerifierRecipe, data: Path) -> list[list[TrainingPair]]:
    """Return the pairs of each stage.

    An epoch of the claims, or public sets and twins.

    Args:
        recipe: what is taken.
        data: the folder with ``nli``, ``claims``, ``sft`` and ``qa``.

    Raises:
        InputError: a pair rests on a question that is kept out.
    """
    without = kept_out_pmids(
        data / "qa" / "split.json", data / "qa" / "bioasq" / "questions.jsonl", data / "claims" / "claims.jsonl.gz"
    )
    abstracts = read_abstracts(data / "sft" / "pmcoa_ccby_cc0.jsonl", without)
    twins = [
        TrainingPair(twin.premise, twin.hypothesis, twin.label, f"twins {twin.kind}", twin.group)
        for twin in make_twins(abstracts, recipe.seed, recipe.most_twins)
    ]
    public = public_pairs(data / "nli" / "redist.train.jsonl.gz", recipe.public, recipe.seed, recipe.most_public_words)
    forbidden = kept_out(data / "qa")
    # A paper may answer a training question and one that is kept out.
    asked = [pair for pair in statement_pairs(data / "qa") if not forbidden.holds(pair)] if recipe.questions else []
    others, claims = [*public, *twins, *asked], list(_epochs(recipe, data / "claims"))
    if recipe.own_claims:
        claims[-1] = [*claims[-1], *own_claim_pairs(data, "train", recipe.seed)]
    stages = [others, *claims] if recipe.apart else _mixed(others, claims, recipe.seed)
    if wrong := next((pair for pairs in stages for pair in pairs if forbidden.holds(pair)), None):
        raise InputError(f"A pair of {wrong.source} rests on a question that is kept out: {wrong.hypothesis!r}.")
    return stages


def _epochs(recipe: VerifierRecipe, folder: Path) -> Iterator[list[TrainingPair]]:
    """Yield the pairs of the claims for each epoch."""
    for epoch in range(math.ceil(recipe.claim_epochs)):
        pairs = claim_pairs(folder, "train", recipe.seed + epoch)
        random.Random(f"{recipe.seed} {epoch}").shuffle(pairs)  # noqa: S311
        yield pairs[: math.ceil(min(1.0, recipe.claim_epochs - epoch) * len(pairs))]


def _mixed(
    others: Sequence[TrainingPair], epochs: Sequence[Sequence[TrainingPair]], seed: int
) -> list[list[TrainingPair]]:
    """Mix the others into all epochs but the last.

    Half of them in each, the two halves taking turns.
    """
    drawn = random.Random(seed).sample(others, len(others))  # noqa: S311
    return [[*epoch, *drawn[number % 2 :: 2]] for number, epoch in enumerate(epochs[:-1])] + [[*epochs[-1]]]
