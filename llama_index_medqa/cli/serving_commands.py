"""The commands ``medqa serve``, ``medqa doctor`` and ``medqa adapter manifest``."""

import os
import signal
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from llama_index_medqa._common.counts import counted
from llama_index_medqa.cli.option_groups import with_groups
from llama_index_medqa.cli.options import (
    EXIT_FAILED,
    EmbedderOption,
    IndexOption,
    JsonOption,
    ManifestOption,
    ProfileOption,
    chosen_profile,
    print_json,
    terminal_for,
)
from llama_index_medqa.errors import IndexNotFoundError, UsageError
from llama_index_medqa.profiles import EMBEDDED, MISTRAL_7B, Profile
from llama_index_medqa.redaction import redacted


@dataclass(frozen=True)
class VllmOptions:
    """How vLLM runs the model."""

    served_model_name: Annotated[str | None, typer.Option(help="Name of the base model for clients.")] = None
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto"
    max_model_len: Annotated[int | None, typer.Option(min=1, help="Tokens of prompt and answer.")] = None
    gpu_memory_utilization: Annotated[float | None, typer.Option(help="Share of a GPU's memory.")] = None
    tensor_parallel_size: Annotated[int, typer.Option(min=1, help="GPUs that share a copy of the model.")] = 1
    data_parallel_size: Annotated[int, typer.Option(min=1, help="Copies of the model.")] = 1
    pipeline_parallel_size: Annotated[int, typer.Option(min=1, help="Machines that share a copy.")] = 1
    ray: Annotated[bool, typer.Option("--ray", help="Use the GPUs of a running Ray cluster.")] = False
    quantization: Annotated[str | None, typer.Option(help="Such as fp8, awq or bitsandbytes.")] = None
    runtime_adapters: Annotated[
        bool, typer.Option("--runtime-adapters", help="Allow to load adapters while it runs.")
    ] = False

    def as_settings(self, model: str, adapters: dict[str, str], lora_rank: int | None, more: list[str]) -> Any:
        """Return the settings of a server.

        Args:
            model: the base model.
            adapters: paths by name.
            lora_rank: the largest of the adapters; None where it is not known.
            more: further arguments of vLLM.
        """
        from llama_index_medqa.serving.vllm_process import VllmSettings

        return VllmSettings(
            model=model,
            adapters=adapters,
            served_model_name=self.served_model_name,
            host=self.host,
            port=self.port,
            dtype=_dtype(self.dtype),
            max_model_len=self.max_model_len,
            max_lora_rank=lora_rank,
            gpu_memory_utilization=self.gpu_memory_utilization,
            tensor_parallel_size=self.tensor_parallel_size,
            data_parallel_size=self.data_parallel_size,
            pipeline_parallel_size=self.pipeline_parallel_size,
            distributed_executor_backend="ray" if self.ray else None,
            quantization=self.quantization,
            runtime_adapters=self.runtime_adapters,
            more=tuple(more),
        )


@with_groups
def serve(
    *,
    profile: Annotated[str, typer.Option(envvar="MEDQA_PROFILE", help="Names the base model.")] = MISTRAL_7B.name,
    adapter: Annotated[list[str] | None, typer.Option(help="NAME=PATH of a LoRA adapter; may be given again.")] = None,
    model: Annotated[str | None, typer.Option(help="Base model, in place of the profile's.")] = None,
    vllm: VllmOptions,
    python: Annotated[
        str | None, typer.Option(envvar="MEDQA_VLLM_PYTHON", help="The Python of vLLM's environment.")
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the command and start nothing.")] = False,
    more: Annotated[list[str] | None, typer.Argument(help="Further arguments of vLLM, after --.")] = None,
) -> None:
    """Serve a base model and its LoRA adapters with vLLM, until interrupted."""
    from llama_index_medqa.llms.adapter_manifest import MANIFEST_NAME, check_adapter
    from llama_index_medqa.serving.vllm_process import lora_rank, shell_line

    adapters = _named_paths(adapter or [])
    rank = None if show and not all(map(os.path.isdir, adapters.values())) else lora_rank(adapters)
    settings = vllm.as_settings(model or _base_model(profile), adapters, rank, more or [])
    if show:
        sys.stdout.write(shell_line(settings, python=python or "python") + "\n")
        return
    for path in adapters.values():
        if (Path(path) / MANIFEST_NAME).exists():
            check_adapter(path)
    _run(settings, python)


def _run(settings: Any, python: str | None) -> None:
    from llama_index_medqa.serving.vllm_process import VllmProcess

    # Stopped like this, it ends its server in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    terminal = terminal_for(False)
    with ExitStack() as stack:
        try:
            with terminal.waiting() as progress:
                server = stack.enter_context(VllmProcess(settings, python=python, progress=progress))
            names = ", ".join(settings.adapters) or "none"
            terminal.line(f"Base model {settings.served_model_name or settings.model!r}, adapters: {names}.")
            terminal.line(f"Answers at {server.api_base}; log: {server.log_path}. Interrupt to stop.")
            server.wait()
        except KeyboardInterrupt:
            terminal.line("Stopping.")


def doctor(
    folder: IndexOption = "medqa_index",
    profile: ProfileOption = EMBEDDED.name,
    api_base: Annotated[str | None, typer.Option(help="Address of a language-model server, with /v1.")] = None,
    model: Annotated[str | None, typer.Option(help="Name under which it lists the base model.")] = None,
    adapter: Annotated[str | None, typer.Option(help="Name under which it lists the LoRA adapter.")] = None,
    manifest: ManifestOption = None,
    embedder: EmbedderOption = None,
    repair: Annotated[bool, typer.Option("--repair", help="Make lost or damaged vectors of the index again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check that all a profile needs is there, and that the adapter which was trained is the one that answers."""
    from llama_index_medqa.components import API_KEY_VARIABLE
    from llama_index_medqa.diagnostics import examine

    chosen = chosen_profile(
        profile,
        embedder=embedder,
        api_base=api_base,
        base_model=model,
        adapter=adapter,
        manifest=manifest,
    )
    if repair:
        _repair(chosen, folder, as_json=as_json)
    findings = list(examine(chosen, folder, api_key=os.environ.get(API_KEY_VARIABLE)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        terminal_for(as_json).show_diagnoses(findings)
    if any(finding.state == "wrong" for finding in findings):
        sys.exit(EXIT_FAILED)


def _repair(profile: Profile, folder: str, *, as_json: bool) -> None:
    """Make lost vectors again, and those whose files are damaged."""
    from llama_index_medqa.components import open_embedder, open_index
    from llama_index_medqa.vector_store.client import is_folder
    from llama_index_medqa.vector_store.database import sole_writer

    terminal = terminal_for(as_json)
    if is_folder(folder) and not Path(folder).is_dir():
        raise IndexNotFoundError(f"There is no index in {folder}: build one first, with `medqa index FILE`.")
    with sole_writer(folder) as set_aside:
        for moved in set_aside:
            terminal.line(f"Damaged vectors were moved to {moved}.", "yellow")
        with terminal.weights_progress() as progress:
            embedder = open_embedder(profile, progress, folder)
        index = open_index(profile, folder, embedder)
        with terminal.chunk_progress("Repairing") as progress:
            made = index.repair(progress=progress)
    terminal.line(f"Made {counted(made, 'vector')} of {redacted(folder)} again from the texts of their chunks.")


adapter_app = typer.Typer(help="Manifests of LoRA adapters.", no_args_is_help=True)


@adapter_app.command("manifest")
def adapter_manifest(
    folder: Annotated[str, typer.Argument(help="Folder of the adapter, as peft or LLaMA-Factory saved it.")],
    base: Annotated[str, typer.Option(help="Folder or hub id of its base model.")],
    prompt_format: Annotated[
        str, typer.Option("--format", help="What stood around the prompts in training: plain, alpaca, mistral or chat.")
    ] = "plain",
    base_name: Annotated[str | None, typer.Option(help="Name of the base model, where --base is a local copy.")] = None,
    dtype: Annotated[str, typer.Option(help="In which to compute: float32 or bfloat16.")] = "float32",
) -> None:
    """Add a manifest to an adapter from elsewhere: what `medqa doctor` and `VllmLora.verify()` prove it by."""
    from llama_index_medqa.llms.adapter_canaries import make_manifest
    from llama_index_medqa.llms.adapter_manifest import MANIFEST_NAME

    computed: Any = dtype if dtype in ("float32", "bfloat16") else None
    if computed is None:
        raise UsageError(f"--dtype cannot be {dtype!r}: choose float32 or bfloat16.")
    made = make_manifest(folder, base, prompt_format=prompt_format, base_name=base_name, dtype=computed)
    tokens = sum(len(canary.token_ids) for canary in made.canaries)
    terminal_for(False).line(
        f"{folder}/{MANIFEST_NAME}: rank {made.lora.r} on {made.base_model}, format {made.prompt_format}, "
        f"{counted(len(made.canaries), 'canary', 'canaries')} of {counted(tokens, 'token')}."
    )


def _base_model(profile: str) -> str:
    chosen = chosen_profile(profile)
    if not chosen.base_model:
        raise UsageError(f"The profile {profile!r} names no model for vLLM: give one with --model.")
    return chosen.base_model


def _dtype(name: str) -> Any:
    if name not in ("auto", "float32", "bfloat16", "float16"):
        raise UsageError(f"--dtype cannot be {name!r}: choose auto, float32, bfloat16 or float16.")
    return name


def _named_paths(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not (name and separator and path):
            raise UsageError(f"--adapter takes NAME=PATH, such as --adapter medqa=adapters/medqa, not {pair!r}.")
        if name in found:
            raise UsageError(f"--adapter names {name!r} twice: give each adapter a name of its own.")
        found[name] = path
    return found
