"""What the verifier is trained on, and in which order."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from llama_index_medqa.errors import InputError
from training.verifier.abstracts import kept_out_pmids, read_abstracts
from training.verifier.fit import Fitting
from training.verifier.pairs import TrainingPair, claim_pairs, kept_out, public_pairs
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


@dataclass(frozen=True)
class VerifierRecipe:
    """The data of one round of training and how the encoder is fitted.

    Attributes:
        public: for each public set the most pairs that are taken.
        most_public_words: of a public pair.
        most_twins: pairs that code makes, of each kind.
        apart: whether public pairs and twins are a stage before the claims; else half of them is mixed into each epoch
            of the claims but the last.
        claim_epochs: how often the written claims are seen, each time with other sentences around them; of a last
            epoch that is not whole, that share of the claims.
        seed: of everything.
        fitting: see :class:`Fitting`.
    """

    public: Mapping[str, int] = field(default_factory=lambda: _PUBLIC)
    most_public_words: int = 90
    most_twins: int = 300
    apart: bool = True
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
)


def stages_of(recipe: VerifierRecipe, data: Path) -> list[list[TrainingPair]]:
    """Return the pairs of each stage: an epoch of the claims, or public sets and twins.

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
    others, claims = [*public, *twins], list(_epochs(recipe, data / "claims"))
    stages = [others, *claims] if recipe.apart else _mixed(others, claims, recipe.seed)
    forbidden = kept_out(data / "qa")
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
    """Return the epochs with a half of the others in each but the last, the two halves taking turns."""
    drawn = random.Random(seed).sample(others, len(others))  # noqa: S311
    return [[*epoch, *drawn[number % 2 :: 2]] for number, epoch in enumerate(epochs[:-1])] + [[*epochs[-1]]]
