"""Estimates of memory and disk before training."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from llama_index_medqa.errors import InputError, StorageError

_MIB: Final = 2**20
# Weight and gradient in float32, and Adam's two moments.
_BYTES_A_TRAINED: Final = 16
# The weight and the moments.
_BYTES_A_SAVED: Final = 12
# Activations of a layer in bytes for each token and hidden unit, attention in flash form (Korthikanti et al. 2022,
# "Reducing activation recomputation in large transformer models", section 4.1); checkpointed, its input alone.
_LAYER, _LAYER_CHECKPOINTED = 34, 2
# A token's logits in bfloat16 and float32, and the gradients of both.
_BYTES_A_LOGIT: Final = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a model that decide its memory in training.

    Attributes:
        parameters: of the base model.
        trained: of the adapter.
        layers: number of layers.
        hidden: width.
        vocabulary: number of tokens.
    """

    parameters: int
    trained: int
    layers: int
    hidden: int
    vocabulary: int


@dataclass(frozen=True, slots=True)
class Memory:
    """An estimate in bytes.

    Attributes:
        weights: the base model's, on each device.
        adapter: its weights, gradients and moments.
        activations: of one batch.
    """

    weights: int
    adapter: int
    activations: int

    @property
    def total(self) -> int:
        """Return the sum of all parts."""
        return self.weights + self.adapter + self.activations


def shape_of(base: str, rank: int, modules: tuple[str, ...]) -> Shape:
    """Return the shape of a model from its configuration alone.

    Args:
        base: folder or hub id.
        rank: of the adapter.
        modules: the ends of the names of the layers that it adapts.

    Raises:
        InputError: no such model, or it has no such layers.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(base)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"The base model {base} cannot be read: {reason} Give its folder, or a hub id.") from error
    # Its types differ from version to version.
    models: Any = AutoModelForCausalLM
    with torch.device("meta"):
        model = models.from_config(config)
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    adapted = [layer for name, layer in layers.items() if name.rpartition(".")[2] in modules]
    absent = set(modules) - {name.rpartition(".")[2] for name in layers}
    if absent:
        raise InputError(f"The base model {base} has no layers {', '.join(sorted(absent))}. Correct lora_target.")
    trained = sum(rank * (layer.in_features + layer.out_features) for layer in adapted)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Shape(parameters, trained, config.num_hidden_layers, config.hidden_size, config.vocab_size)


def memory_needed(shape: Shape, arguments: Mapping[str, Any], longest: int, devices: int = 1) -> Memory:
    """Return what training takes on one device.

    Args:
        shape: of the model.
        arguments: LLaMA-Factory's.
        longest: tokens of the longest item.
        devices: over which FSDP or DeepSpeed's third stage share out the weights; 1 without.
    """
    tokens = arguments.get("per_device_train_batch_size", 8) * min(longest, arguments["cutoff_len"])
    if arguments.get("packing") or arguments.get("neat_packing"):
        tokens = arguments.get("per_device_train_batch_size", 8) * arguments["cutoff_len"]
    wide = 2 if arguments.get("bf16") or arguments.get("fp16") else 4
    layer = tokens * shape.hidden * wide // 2
    if arguments.get("disable_gradient_checkpointing"):
        layers = shape.layers * _LAYER * layer
    else:
        layers = shape.layers * _LAYER_CHECKPOINTED * layer + _LAYER * layer
    return Memory(
        weights=shape.parameters * wide // devices,
        adapter=shape.trained * _BYTES_A_TRAINED,
        activations=layers + tokens * shape.vocabulary * _BYTES_A_LOGIT,
    )


def check_memory(needed: Memory, free: int) -> str | None:
    """Compare an estimate with the free memory.

    Args:
        needed: the estimate.
        free: bytes.

    Returns:
        A warning where the activations may not fit: their estimate is a rough one.

    Raises:
        InputError: not even the weights do.
    """
    if needed.weights + needed.adapter > free:
        raise InputError(
            f"Weights and optimizer alone take {_mib(needed.weights + needed.adapter)}, and {_mib(free)} of memory are "
            "free. Free some, take a smaller base model, or share it out (a recipe that ends in _fsdp or _deepspeed)."
        )
    if needed.total > free:
        return (
            f"About {_mib(needed.total)} of memory are needed ({_mib(needed.activations)} of it for a batch), and "
            f"{_mib(free)} are free. Halve per_device_train_batch_size and double gradient_accumulation_steps."
        )
    return None


def free_memory() -> int:
    """Return the free bytes of the first GPU, else of the machine."""
    import psutil
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def check_disk(folder: Path, shape: Shape, checkpoints: int) -> int:
    """Compare the size of checkpoints and adapter with the free disk.

    Args:
        folder: where they go; it or one above it exists.
        shape: of the model.
        checkpoints: most that lie there at a time.

    Returns:
        The bytes that are needed.

    Raises:
        StorageError: they do not fit.
    """
    needed = (checkpoints + 2) * shape.trained * _BYTES_A_SAVED
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise StorageError(
            f"Checkpoints and adapter take {_mib(needed)}, and the disk of {existing} has {_mib(free)} free. Free some "
            "space, lower save_total_limit, or give another output_dir."
        )
    return needed


def _mib(number: int) -> str:
    return f"{number // _MIB:,} MiB"
