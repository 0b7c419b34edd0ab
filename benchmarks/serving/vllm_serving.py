"""What does VllmLora cost beside raw requests, and do vLLM and peft agree?

Needs the extra ``adapter``, and vLLM in an environment of its own whose Python MEDQA_VLLM_PYTHON names (``make
test-integration`` builds one in .venv-vllm). Serves SmolLM2-135M with a LoRA adapter on the CPU, in bfloat16 and in
float32.

    MEDQA_VLLM_PYTHON=.venv-vllm/bin/python python -m benchmarks.serving.vllm_serving
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa import VllmLora
from llama_index_medqa.llms.adapter_canaries import make_manifest
from llama_index_medqa.llms.adapter_manifest import AdapterManifest
from llama_index_medqa.llms.adapter_proof import effect_share, mean_difference
from llama_index_medqa.llms.vllm_api import ServerApi
from llama_index_medqa.serving.vllm_process import VllmProcess, VllmSettings
from llama_index_medqa.weights import locate

REQUESTS = 32
TOKENS = 32
ROUNDS = 7
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PROMPTS = [f"Write one sentence on the heart, number {number}." for number in range(REQUESTS)]


def main() -> None:
    """Measure and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    base = str(locate("smollm2-135m-instruct-bf16"))
    noise: dict[str, Any] = {}
    concurrency: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        manifests = {spread: random_adapter(Path(folder) / str(spread), base, spread) for spread in (0.002, 0.01)}
        for dtype in ("bfloat16", "float32"):
            adapters = {f"spread-{spread}": f"{folder}/{spread}" for spread in manifests}
            settings = VllmSettings(
                model=base, adapters=adapters, served_model_name="base", port=8765, dtype=dtype, max_model_len=1024,
                max_loras=2, enforce_eager=True, more=("--max-num-seqs", str(REQUESTS)),
            )  # fmt: skip
            environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "TORCHDYNAMO_DISABLE": "1"}
            with VllmProcess(settings, environment=environment) as server:
                noise[dtype] = {name: differences(server.api_base, name, manifests) for name in adapters}
                if dtype == "bfloat16":
                    concurrency = compare(server.api_base, "spread-0.01", rounds)
    versions = ("llama-index-medqa", "llama-index-llms-openai-like", "openai", "httpx", "torch", "transformers", "peft")
    write_results(
        "vllm_serving",
        {
            "provenance": provenance([], versions),
            "model": "SmolLM2-135M-Instruct, random LoRA adapters of rank 8 on all projections; vllm-cpu 0.32.0",
            "concurrency": concurrency,
            "canaries": noise,
        },
    )


def random_adapter(folder: Path, base: str, spread: float) -> AdapterManifest:
    """Make an adapter with a random B, and its float32 manifest.

    B is drawn with this standard deviation.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=8, lora_alpha=16, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data = spread * torch.randn(parameter.shape)
    adapted.save_pretrained(folder)
    return make_manifest(folder, base, prompt_format="chat")


def differences(api_base: str, name: str, manifests: dict[float, AdapterManifest]) -> dict[str, float]:
    """Return the differences of served and stored log-probabilities.

    Of the canaries.
    """
    api = ServerApi(api_base)
    own = manifests[float(name.removeprefix("spread-"))]
    other = next(manifest for manifest in manifests.values() if manifest is not own)
    base, adapter = ([v for c in own.canaries for v in score(api, m, c.text)] for m in ("base", name))
    stored_base = [value for canary in own.canaries for value in canary.base_logprobs]
    stored, foreign = ([v for c in m.canaries for v in c.adapter_logprobs] for m in (own, other))
    return {
        "tokens": len(base),
        "base, mean difference": mean_difference(base, stored_base),
        "base, greatest difference": max(abs(a - b) for a, b in zip(base, stored_base, strict=True)),
        "adapter, mean difference": mean_difference(adapter, stored),
        "adapter, mean difference from the other adapter's": mean_difference(adapter, foreign),
        "effect of the adapter, mean": mean_difference(stored, stored_base),
        "share of the effect seen": effect_share(adapter, base, stored, stored_base),
        "share seen of the other adapter's": effect_share(adapter, base, foreign, stored_base),
        "share seen where the base model answers": effect_share(base, base, stored, stored_base),
    }


def score(api: ServerApi, model: str, text: str) -> tuple[float, ...]:
    """Return the served log-probabilities of a text in the chat format."""
    return api.score(model, text, add_special_tokens=False).logprobs


def compare(api_base: str, model: str, rounds: int) -> dict[str, Any]:
    """Compare the same load sent raw, by acomplete and by complete_many."""
    llm = VllmLora("base", model, api_base=api_base, max_tokens=TOKENS, stop=[], timeout=600, verify_first=False)
    more = {"ignore_eos": True}
    ways: dict[str, Callable[[], list[str]]] = {
        "raw httpx": lambda: asyncio.run(raw(api_base, model)),
        "acomplete": lambda: asyncio.run(gathered(llm, more)),
        "complete_many": lambda: [answer.text for answer in llm.complete_many(PROMPTS, **more)],
    }
    answers = {name: way() for name, way in ways.items()}  # also warms up
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    processor_seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        # A different one begins each time.
        for name in [*ways][number % 3 :] + [*ways][: number % 3]:
            begin, processor_begin = time.perf_counter(), time.process_time()
            ways[name]()
            seconds[name].append(time.perf_counter() - begin)
            processor_seconds[name].append(time.process_time() - processor_begin)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "requests": REQUESTS,
        "tokens an answer": TOKENS,
        "seconds": seconds,
        "median seconds": medians,
        "times raw": {name: value / medians["raw httpx"] for name, value in medians.items()},
        "median of the ratios within a round": {
            name: statistics.median(a / b for a, b in zip(values, seconds["raw httpx"], strict=True))
            for name, values in seconds.items()
        },
        "client's processor time, median milliseconds a request": {
            name: 1000 * statistics.median(values) / REQUESTS for name, values in processor_seconds.items()
        },
        "answers equal to raw": {
            name: sum(a == b for a, b in zip(texts, answers["raw httpx"], strict=True))
            for name, texts in answers.items()
        },
    }


async def raw(api_base: str, model: str) -> list[str]:
    """Send the load by an asynchronous HTTP client, nothing between."""
    # Without TLS, whose certificates would take it longer to read than all of its requests take to send.
    async with httpx.AsyncClient(timeout=600, trust_env=False, verify=False) as client:  # plain HTTP

        async def one(prompt: str) -> str:
            body = {"model": model, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True}
            answer = await client.post(f"{api_base}/completions", json=body)
            return str(answer.json()["choices"][0]["text"])

        return list(await asyncio.gather(*map(one, PROMPTS)))


async def gathered(llm: VllmLora, more: dict[str, Any]) -> list[str]:
    """Send the load by acomplete."""
    return [answer.text for answer in await asyncio.gather(*(llm.acomplete(prompt, **more) for prompt in PROMPTS))]


if __name__ == "__main__":
    main()
