"""``adapter_manifest.json``: origin of a LoRA adapter, and how to recognise it.

Training writes it beside the adapter's weights, ``medqa adapter manifest`` adds it to an adapter from elsewhere, and
``VllmLora.verify()`` holds a server against it.
"""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from llama_index.core.bridge.pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llama_index_medqa._common.files import file_sha256, write_atomically
from llama_index_medqa.errors import InputError

MANIFEST_NAME: Final = "adapter_manifest.json"
SCHEMA_VERSION: Final = 1

_NUMBERS = re.compile(r"\[[-\d.e,\s]+\]")
_CONFIG_NAME = "adapter_config.json"
_WEIGHTS_NAME = "adapter_model.safetensors"

Dtype = Literal["float32", "bfloat16", "float16"]
# 64 digits for whole files.
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
LogProb = Annotated[float, Field(le=0.0, allow_inf_nan=False)]


class _Part(BaseModel):
    """A part of the manifest; unknown fields are errors, so that misspelt ones are noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LoraSettings(_Part):
    """How the adapter was made, by peft's names."""

    r: int = Field(gt=0, description="Rank.")
    lora_alpha: float = Field(gt=0)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] = Field(min_length=1, description="Sorted.")


class LossPoint(_Part):
    """The training loss at a step."""

    step: int = Field(ge=0)
    loss: float = Field(allow_inf_nan=False)


class TrainingRun(_Part):
    """How the adapter was trained."""

    recipe: str = Field(description="Name of the recipe.")
    data_sha256: Sha256 = Field(description="Of the file of training data.")
    samples: int = Field(gt=0, description="Items in it.")
    steps: int = Field(gt=0, description="Steps of the optimizer.")
    epochs: float = Field(gt=0)
    samples_per_second: float = Field(gt=0)
    loss_curve: tuple[LossPoint, ...] = Field(min_length=1, description="In the order of steps.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        steps = [point.step for point in self.loss_curve]
        if steps != sorted(set(steps)):
            raise ValueError("the steps of the loss curve must rise")
        return self


class Canary(_Part):
    """A text with its log-probabilities by base model and adapter.

    A server must reproduce them.

    The log-probabilities are natural logarithms; the one at ``i`` is that of token ``i + 1`` after all before it.
    """

    prompt: str = Field(min_length=1, description="What is asked, before the prompt format or chat template.")
    text: str = Field(min_length=1, description="Formatted prompt and answer: what is sent to the server.")
    token_ids: tuple[int, ...] = Field(min_length=2, description="(n,), with the begin-of-text token if there is one.")
    base_logprobs: tuple[LogProb, ...] = Field(description="(n - 1,)")
    adapter_logprobs: tuple[LogProb, ...] = Field(description="(n - 1,)")

    @model_validator(mode="after")
    def _same_lengths(self) -> Self:
        expected = len(self.token_ids) - 1
        if (len(self.base_logprobs), len(self.adapter_logprobs)) != (expected, expected):
            raise ValueError(
                f"{len(self.token_ids)} tokens have {expected} log-probabilities, not "
                f"{len(self.base_logprobs)} and {len(self.adapter_logprobs)}"
            )
        return self


class AdapterManifest(_Part):
    """All that is needed to trust an adapter and to recognise it on a server."""

    schema_version: Literal[1] = SCHEMA_VERSION
    base_model: str = Field(min_length=1, description="Hub id of the base model, or the path of its folder.")
    prompt_format: str = Field(description="A name in prompts.PROMPT_FORMATS, or 'chat'.")
    prompt_hash: str = Field(pattern=r"^[0-9a-f]{16}$", description="prompts.template_hash of template and format.")
    lora: LoraSettings
    weights_sha256: Sha256 = Field(description="Of adapter_model.safetensors.")
    dtype: Dtype = Field(description="In which the canaries were computed.")
    canaries: tuple[Canary, ...] = Field(min_length=1)
    training: TrainingRun | None = Field(default=None, description="None for an adapter that was made elsewhere.")
    versions: dict[str, str] = Field(default_factory=dict, description="Of the libraries that computed the canaries.")


def read_manifest(path: str | os.PathLike[str]) -> AdapterManifest:
    """Read a manifest.

    Args:
        path: the file, or the adapter's folder.

    Raises:
        InputError: there is none, or it is not one.
    """
    path = _manifest_path(Path(path).expanduser())
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"There is no adapter manifest at {path} ({error.strerror}). Give the folder of an adapter that has one, "
            f"or make one: medqa adapter manifest {path.parent} --base BASE_MODEL"
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}). Make it anew with: medqa adapter manifest") from error
    return _validated(data, path)


def _manifest_path(path: Path) -> Path:
    return path / MANIFEST_NAME if path.suffix != ".json" else path


def _validated(data: Any, path: Path) -> AdapterManifest:
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {version!r}, and this version of llama-index-medqa reads {SCHEMA_VERSION}. "
            "Make it anew with: medqa adapter manifest, or use the version that wrote it."
        )
    try:
        return AdapterManifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path} is not a valid adapter manifest: {where or 'it'}: {first['msg']} "
            f"({error.error_count()} errors in all). Make it anew with: medqa adapter manifest"
        ) from error


def write_manifest(manifest: AdapterManifest, folder: str | os.PathLike[str]) -> Path:
    """Write a manifest into an adapter's folder atomically.

    Returns:
        The file.
    """
    path = Path(folder) / MANIFEST_NAME
    text = json.dumps(manifest.model_dump(mode="json"), indent=1)
    # Numbers of one list on one line.
    text = _NUMBERS.sub(lambda match: " ".join(match[0].split()).replace("[ ", "[").replace(" ]", "]"), text)
    with write_atomically(path) as partial:
        partial.write_text(text + "\n")
    return path


def adapter_settings(folder: str | os.PathLike[str]) -> LoraSettings:
    """Return the LoRA settings of an adapter as peft saved it.

    Raises:
        InputError: no adapter, or not a LoRA adapter with a list of modules.
    """
    path = Path(folder) / _CONFIG_NAME
    try:
        config = json.loads(path.read_bytes())
        kind = config["peft_type"]
        settings = LoraSettings(
            r=config["r"],
            lora_alpha=config["lora_alpha"],
            lora_dropout=config.get("lora_dropout") or 0.0,
            target_modules=tuple(sorted(config["target_modules"])),
        )
    except OSError as error:
        raise InputError(
            f"{folder} is not an adapter: it has no {_CONFIG_NAME}. Give the folder that peft or LLaMA-Factory saved."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read as peft's configuration of a LoRA adapter ({error!r}). Save the adapter again."
        ) from error
    if kind != "LORA":
        raise InputError(f"{path} is of an adapter of type {kind}, and only LORA is served. Train one of that type.")
    return settings


def weights_sha256(folder: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of an adapter's weights.

    Raises:
        InputError: they are not there.
    """
    path = Path(folder) / _WEIGHTS_NAME
    try:
        return file_sha256(path)
    except OSError as error:
        raise InputError(
            f"{folder} has no {_WEIGHTS_NAME}. Save the adapter with safetensors (peft does by default)."
        ) from error


def check_adapter(folder: str | os.PathLike[str]) -> AdapterManifest:
    """Check the files of an adapter against its manifest.

    Returns:
        The manifest.

    Raises:
        InputError: no manifest, or weights or settings other than it says.
    """
    manifest = read_manifest(folder)
    found = {"weights_sha256": weights_sha256(folder), "lora": adapter_settings(folder)}
    for name, value in found.items():
        expected = getattr(manifest, name)
        if value != expected:
            raise InputError(
                f"The adapter in {folder} is not the one of its manifest: {name} is {value}, the manifest has "
                f"{expected}. Put the right files there, or make the manifest anew: medqa adapter manifest {folder}"
            )
    return manifest


def differences(one: AdapterManifest, other: AdapterManifest) -> list[str]:
    """List the fields in which two manifests differ.

    A line each: ``field: one's value, other's value``; canaries as a whole.
    """
    lines = []
    for name in AdapterManifest.model_fields:
        values = getattr(one, name), getattr(other, name)
        if values[0] != values[1]:
            shown = ("differ",) if name in ("canaries", "training") else tuple(map(str, values))
            lines.append(f"{name}: {', '.join(shown)}")
    return lines
