"""Train the verifier from the data to the folder that the package ships, going on where an earlier run stopped."""

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llama_index_medqa.verification.entailment import EntailmentEncoder
from training.verifier.calibrate import calibrated, judge_claims
from training.verifier.encoder import new_encoder
from training.verifier.export import export, write_card
from training.verifier.fit import fit
from training.verifier.pairs import TrainingPair
from training.verifier.recipe import VerifierRecipe, stages_of

NAME = "medqa-verifier"
# Another number for each model that is committed.
VERSION = 1
_NOT_CALIBRATED = {"strict": 1.0, "balanced": 1.0, "open": 1.0, "contradicted": 1.0}


def train(recipe: VerifierRecipe, data: Path, start: Path, work: Path, report: Callable[[str], None]) -> Path:
    """Return the folder with the model, its tokenizer and its card: what ``verification/model`` in the package holds.

    Args:
        recipe: the data and how the encoder is fitted.
        data: the folder with ``nli``, ``claims``, ``sft`` and ``qa``.
        start: the folder with the packaged cross-encoder: ``model.onnx`` and ``tokenizer.json``.
        work: folder of the checkpoint and of the result.
        report: takes a line for people.
    """
    import torch
    from tokenizers import Tokenizer

    torch.manual_seed(recipe.seed)
    work.mkdir(parents=True, exist_ok=True)
    stages = stages_of(recipe, data)
    report("; ".join(f"stage {number}: {len(pairs)} pairs" for number, pairs in enumerate(stages, start=1)))
    tokenizer = Tokenizer.from_file(str(start / "tokenizer.json"))
    tokenizer.no_padding()
    model = new_encoder(start / "model.onnx")
    curve = fit(model, tokenizer, stages, recipe.fitting, work / "checkpoint.pt", report)
    return finish(model, _told(recipe, stages, curve), data, start, work / "model", report)


def finish(model: Any, told: dict[str, Any], data: Path, start: Path, out: Path, report: Callable[[str], None]) -> Path:
    """Write a fitted encoder in int8, calibrate it as it will be run, and complete its card."""
    report("writing int8 weights")
    card = {"name": NAME, "version": VERSION, "temperature": 1.0, "thresholds": _NOT_CALIBRATED, "training": told}
    export(model, start / "tokenizer.json", card, out)
    report("calibrating on the kept-back claims")
    found = calibrated(judge_claims(data / "claims", EntailmentEncoder(out)))
    write_card(out, {**card, "temperature": found["temperature"], "thresholds": found["thresholds"], "claims": found})
    return out


def _told(
    recipe: VerifierRecipe, stages: Sequence[Sequence[TrainingPair]], curve: Sequence[tuple[int, float]]
) -> dict[str, Any]:
    return {
        "recipe": {**vars(recipe), "public": dict(recipe.public), "fitting": vars(recipe.fitting)},
        "stages": [dict(sorted(Counter(pair.source for pair in pairs).items())) for pairs in stages],
        "loss_curve": [[step, round(loss, 4)] for step, loss in curve],
        "versions": {name: version(name) for name in ("torch", "transformers", "onnxruntime")},
    }
