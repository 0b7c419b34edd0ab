"""A text encoder on OpenVINO, converted once and cached.

It runs in float32, bfloat16 or int8.
"""

import importlib.metadata
import json
import shutil
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa._common.files import sync_file
from llama_index_medqa.embeddings.batching import Batch, TextTokenizer
from llama_index_medqa.embeddings.torch_backend import LazyModel, ReadyModel, Runner, Vectors
from llama_index_medqa.errors import MissingExtraError, WeightsError

# Raised when what is written for the same model changes, so that older conversions are made again.
_CONVERTER = 3
_MODEL = "model.xml"
_TOKENIZER = "tokenizer.json"
_MANIFEST = "manifest.json"
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}

# A conversion that gives lower cosines with torch's float32 than these on the texts below is refused.
_LOWEST_COSINES = {"float32": 0.99999, "bfloat16": 0.9999, "int8": 0.98}

CALIBRATION_TEXTS = (
    "Metformin.",
    "Does aspirin prevent a first stroke?",
    "Hypertension is the leading preventable cause of premature death worldwide.",
    "To determine whether vitamin D supplementation reduces the risk of falls in adults older than 70 years.",
    "We randomly assigned 412 patients with type 2 diabetes to receive either the study drug or placebo once daily "
    "for 24 weeks. The primary outcome was the change in glycated haemoglobin from baseline.",
    "Mice lacking the receptor gained less weight on a high-fat diet, and their insulin sensitivity was preserved. "
    "Expression of Il6 and Tnf in adipose tissue was reduced (p < 0.01).",
    "The pooled odds ratio was 0.82 (95% CI 0.71 to 0.95; I2 = 34%), without evidence of publication bias. "
    "Heterogeneity was explained in part by the dose and by the length of follow-up.",
    "A 54-year-old woman presented with fever, night sweats and a cough of three weeks. Computed tomography of the "
    "chest showed bilateral nodules, and a biopsy established the diagnosis of granulomatosis with polyangiitis.",
    "Cells were lysed in RIPA buffer, separated by SDS-PAGE and transferred to PVDF membranes, which were incubated "
    "overnight at 4 degrees with primary antibodies against p53, MDM2 and beta-actin.",
    "Breastfeeding for at least six months was associated with fewer hospital admissions for respiratory infection "
    "in the first year of life, also after adjustment for maternal age, education, smoking and birth weight. The "
    "association was stronger in preterm infants, and weaker where the parents had taken long parental leave.",
    "Statins lower low-density lipoprotein cholesterol and the risk of major vascular events. Muscle symptoms are "
    "often reported, but in blinded trials they are nearly as frequent with placebo. Serious myopathy is rare.",
    "Antimicrobial resistance of Neisseria gonorrhoeae to azithromycin rose from 2.1% in 2015 to 9.7% in 2019.",
    "Genome-wide association identified 14 loci, nine of which had not been reported; the strongest signal lay in "
    "an intron of FTO (rs1421085). Polygenic scores explained 6% of the variance in body-mass index.",
    "Limitations include the retrospective design, missing data on smoking, and the short follow-up.",
    "Children with asthma who used a spacer had fewer exacerbations than those who did not, irrespective of the "
    "dose of inhaled corticosteroid. We recommend that a spacer be offered to every child.",
    "Deep brain stimulation of the subthalamic nucleus improved motor scores by 41% at one year.",
)
"""Texts on which activations are measured for int8 and conversions are checked; written for this purpose."""


def on_openvino(model: LazyModel, precision: str, feature: str) -> ReadyModel:
    """Compile a model for the CPU with OpenVINO.

    The model is loaded only where its conversion is not in the cache.

    Args:
        model: to be run.
        precision: ``float32``, ``bfloat16`` or ``int8``.
        feature: what needs OpenVINO, for error messages.

    Raises:
        MissingExtraError: openvino or nncf is not installed.
        WeightsError: the model cannot be converted, or what comes out differs from torch.
    """
    openvino = _import_openvino(feature)
    kind = "int8" if precision == "int8" else "float"
    folder = cache_dir() / "openvino" / f"{model.fingerprint}-{kind}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    made_of = {"converter": _CONVERTER, "configuration": model.configuration, "versions": _versions(kind)}
    with filelock.FileLock(f"{folder}.lock"):
        kept = _read_manifest(folder)
        if kept and all(kept.get(name) == value for name, value in made_of.items()):
            run = _Runner(_compile(openvino, folder / _MODEL, precision))
            tokenizer = TextTokenizer.load(folder / _TOKENIZER, kept["splits_special_tokens"])
            return ReadyModel(run, tokenizer, kept["dimension"], kept["settings"])
        graph = _convert(openvino, model)
        if kind == "int8":
            graph = _quantize(graph, model.tokenizer, feature)
        run = _Runner(_compile(openvino, graph, precision))
        _compare(run, model, precision)
        described = {"dimension": model.dimension, "settings": model.settings}
        manifest = {**made_of, **described, "splits_special_tokens": model.tokenizer.splits_special_tokens}
        _save(openvino, graph, model.tokenizer, folder, manifest)
    return ReadyModel(run, model.tokenizer, model.dimension, model.settings)


class _Runner:
    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def __call__(self, batch: Batch) -> Vectors:
        result: Vectors = self._compiled({port.any_name: batch[port.any_name] for port in self._compiled.inputs})[0]
        return result


def _compare(run: Runner, model: LazyModel, precision: str) -> None:
    reference = model.on_torch("float32").run
    lowest = 1.0
    for some in _groups():
        batch = model.tokenizer.batch_of(some)
        given, expected = run(batch), reference(batch)
        lengths = np.linalg.norm(given, axis=1) * np.linalg.norm(expected, axis=1)
        lowest = min(lowest, float(((given * expected).sum(axis=1) / lengths).min()))
    # Not below, rather than at least: a vector of nan is refused too.
    if not lowest >= _LOWEST_COSINES[precision]:
        raise WeightsError(
            f"OpenVINO's {precision} vectors have cosines down to {lowest:.5f} with torch's float32, below "
            f"{_LOWEST_COSINES[precision]}. Use backend='torch'."
        )


def _groups() -> list[Sequence[str]]:
    """Return sample texts in batches of 1, 2, 3 and so on.

    The traced graph must not be bound to one shape.
    """
    groups: list[Sequence[str]] = []
    start = 0
    while start < len(CALIBRATION_TEXTS):
        groups.append(CALIBRATION_TEXTS[start : start + len(groups) + 1])
        start += len(groups)
    return groups


def _import_openvino(feature: str) -> Any:
    # OpenVINO and NNCF report their use to their makers unless this package is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise MissingExtraError(feature, "openvino") from error
    return openvino


def _versions(kind: str) -> dict[str, str]:
    names = ["openvino", "sentence_transformers", "tokenizers", "torch", "transformers"]
    names += ["nncf"] if kind == "int8" else []
    return {name: importlib.metadata.version(name) for name in names if find_spec(name)}


def _convert(openvino: Any, source: LazyModel) -> Any:
    import torch

    class Graph(torch.nn.Module):
        """Wraps a model so that its inputs are arguments, for tracing."""

        def __init__(self) -> None:
            super().__init__()
            self.model = source.model

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
        ) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            if token_type_ids is not None:
                features["token_type_ids"] = token_type_ids
            result: torch.Tensor = self.model(features)["sentence_embedding"]
            return result

    batch = source.tokenizer.batch_of(CALIBRATION_TEXTS[2:4])
    example = {name: torch.from_numpy(batch[name]) for name in source.inputs if name in batch}
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns of what it takes for constant; the comparison with torch says whether it was right.
        warnings.simplefilter("ignore")
        try:
            graph = openvino.convert_model(Graph().eval(), example_input=example)
            names = {port.any_name for port in graph.inputs}
        except RuntimeError as error:
            raise WeightsError(f"OpenVINO cannot convert the model ({error}). Use backend='torch'.") from error
    if not names <= set(example):
        # As with transformers 4.57 and 5.6; 5.24 is traced.
        raise WeightsError(
            f"OpenVINO takes {', '.join(sorted(names))} for the inputs of the model, which are {', '.join(example)}: "
            "this version of transformers hides them. Install a newer one with: pip install --upgrade transformers. "
            "Or use backend='torch'."
        )
    return graph


def _quantize(graph: Any, tokenizer: TextTokenizer, feature: str) -> Any:
    """Quantize weights and activations of matrix products to int8.

    Ranges are measured on the sample texts.
    """
    # It logs and shows its progress on what standard output is when it is imported; ours may be a program's.
    with redirect_stdout(sys.stderr):
        try:
            import nncf
        except ModuleNotFoundError as error:
            raise MissingExtraError(feature, "openvino") from error
        names = {port.any_name for port in graph.inputs}
        samples = [{name: tokenizer.batch_of([text])[name] for name in names} for text in CALIBRATION_TEXTS]
        return nncf.quantize(
            graph, nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(samples)
        )


def _compile(openvino: Any, graph: Any, precision: str) -> Any:
    settings = {"INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
    return openvino.Core().compile_model(graph, "CPU", settings)


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a conversion; None where it is not complete."""
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    sizes = manifest.pop("sizes")
    whole = all((folder / name).is_file() and (folder / name).stat().st_size == size for name, size in sizes.items())
    return manifest if whole else None


def _save(openvino: Any, graph: Any, tokenizer: TextTokenizer, folder: Path, manifest: Mapping[str, Any]) -> None:
    """Save a conversion atomically, by renaming its folder."""
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        for leftover in (partial, folder):
            if leftover.exists():
                shutil.rmtree(leftover)
        partial.mkdir()
        openvino.save_model(graph, partial / _MODEL, compress_to_fp16=False)
        tokenizer.save(partial / _TOKENIZER)
        for path in partial.iterdir():
            sync_file(path)
        sizes = {path.name: path.stat().st_size for path in partial.iterdir()}
        (partial / _MANIFEST).write_text(json.dumps({**manifest, "sizes": sizes}))
        partial.rename(folder)
    except OSError as error:
        raise WeightsError(
            f"The converted model cannot be stored in {folder.parent}: {error}. Free some space, set MEDQA_CACHE_DIR "
            "to another folder, or use backend='torch'."
        ) from error
