"""VllmLora against a real vLLM on the CPU: each model is served once, for all of its tests.

`make test-integration` builds vLLM's environment and names its Python in MEDQA_VLLM_PYTHON.
"""

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from llama_index.core.bridge.pydantic import BaseModel
from llama_index.core.prompts import PromptTemplate

from llama_index_medqa import VllmLora
from llama_index_medqa._common.jsonl import read_rows
from llama_index_medqa.errors import AdapterNotActive, ServerError
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer, ModelCalls
from llama_index_medqa.evaluation.judges.ragas import RagasJudge
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.llms.adapter_canaries import make_manifest
from llama_index_medqa.llms.adapter_manifest import MANIFEST_NAME, read_manifest, write_manifest
from llama_index_medqa.llms.vllm_api import ServerApi
from llama_index_medqa.prompts import PROMPT_FORMATS
from llama_index_medqa.serving.vllm_process import PYTHON_VARIABLE, VllmProcess, VllmSettings
from llama_index_medqa.weights import locate
from tests.doubles.lora_models import make_adapter, make_mistral, train_adapter

VLLM_PYTHON = os.environ.get(PYTHON_VARIABLE)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not VLLM_PYTHON, reason=f"needs vLLM: run `make test-integration`, or set {PYTHON_VARIABLE}"),
]

# Without torch's compiler, which takes a minute for the first log-probabilities and gives the same.
ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "TORCHDYNAMO_DISABLE": "1"}
QUESTIONS = ["Does green tea lower the heart rate?", "How long do nurses sleep?", "Do magnets cure arthritis?"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_for(base: Path, **more: Any) -> VllmSettings:
    json_only = '{"backend": "xgrammar", "disable_any_whitespace": true}'
    return VllmSettings(
        model=str(base), served_model_name="base", port=free_port(), dtype="float32", max_model_len=1024,
        max_lora_rank=16, max_loras=2, enforce_eager=True, runtime_adapters=True,
        more=("--structured-outputs-config", json_only), **more,
    )  # fmt: skip


@dataclass
class Served:
    server: VllmProcess
    base: Path
    folders: dict[str, Path]
    chat: bool
    _models: dict[str | None, Any] = field(default_factory=dict)

    @property
    def api(self) -> ServerApi:
        return ServerApi(self.server.api_base)

    def llm(self, adapter: str | None = "trained", **more: Any) -> VllmLora:
        # Proving takes as long as all else of a test: it is done where it is what is tested.
        settings = {"max_tokens": 24, "is_chat_model": self.chat, "timeout": 300, "verify_first": False, **more}
        settings.setdefault("manifest", str(self.folders[adapter]) if adapter in self.folders else None)
        return VllmLora("base", adapter, api_base=self.server.api_base, **settings)

    def greedy(self, prompt: str, *, adapter: str | None) -> tuple[str, list[int]]:
        """What transformers and peft answer, greedily: the text and its tokens."""
        tokenizer, model = self._loaded(adapter)
        if self.chat:
            turn = [{"role": "user", "content": prompt}]
            text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        else:
            text = PROMPT_FORMATS["plain"].render(prompt)
        asked = tokenizer(text, return_tensors="pt", add_special_tokens=not self.chat)
        written = model.generate(**asked, max_new_tokens=24, do_sample=False)[0, asked["input_ids"].shape[1] :]
        return str(tokenizer.decode(written, skip_special_tokens=True)), written.tolist()

    def _loaded(self, adapter: str | None) -> Any:
        if adapter not in self._models:
            import torch
            from peft import PeftModel
            from transformers import AutoModelForCausalLM, AutoTokenizer

            model = AutoModelForCausalLM.from_pretrained(self.base, dtype=torch.float32)
            if adapter:
                model = PeftModel.from_pretrained(model, self.folders[adapter])
            self._models[adapter] = AutoTokenizer.from_pretrained(self.base), model
        return self._models[adapter]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("tiny")
    base, other_base = make_mistral(root / "mistral"), make_mistral(root / "other-mistral", seed=5)
    folders = {
        "trained": make_adapter(root / "trained", base, seed=1),
        "another": make_adapter(root / "another", base, seed=2),
        "foreign": make_adapter(root / "foreign", other_base, seed=1),
    }
    for name, folder in folders.items():
        make_manifest(folder, str(other_base if name == "foreign" else base), prompt_format="plain")
    make_adapter(root / "zero", base, seed=3, spread=0.0)
    make_adapter(root / "wide", base, seed=4, rank=32)
    adapters = {"trained": str(folders["trained"])}
    with VllmProcess(settings_for(base, adapters=adapters), python=VLLM_PYTHON, environment=ENVIRONMENT) as server:
        yield Served(server, base, folders, chat=False)


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("smollm2")
    base = locate("smollm2-135m-instruct-bf16")
    losses = train_adapter(root / "trained", base, steps=4)
    assert losses[-1] < losses[0]
    train_adapter(root / "another", base, steps=2, seed=1)
    folders = {name: root / name for name in ("trained", "another")}
    for folder in folders.values():
        make_manifest(folder, str(base), prompt_format="chat")
    adapters = {"trained": str(folders["trained"])}
    with VllmProcess(settings_for(base, adapters=adapters), python=VLLM_PYTHON, environment=ENVIRONMENT) as server:
        yield Served(server, base, folders, chat=True)


@pytest.fixture(params=["tiny", "smollm2"])
def served(request: pytest.FixtureRequest) -> Served:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("adapter", ["trained", None])
async def test_every_way_of_asking_answers_as_transformers_and_peft_do(served, adapter):
    answers = [served.greedy(question, adapter=adapter) for question in QUESTIONS]
    expected = [text for text, _ in answers]
    assert len(set(expected)) == len(expected)
    # The prompt format's texts that end an answer are for prose; here every token counts.
    llm = served.llm(adapter, stop=[], verify_first=True)
    completed = [llm.complete(question, return_token_ids=True) for question in QUESTIONS]
    assert [answer.raw.choices[0].token_ids for answer in completed] == [tokens for _, tokens in answers]
    assert [answer.text for answer in completed] == expected
    assert [list(llm.stream_complete(question))[-1].text for question in QUESTIONS] == expected
    assert [answer.text for answer in llm.complete_many(QUESTIONS)] == expected
    assert [answer.text for answer in await llm.acomplete_many(QUESTIONS)] == expected
    assert [(await llm.acomplete(question)).text for question in QUESTIONS] == expected
    streamed = [[part async for part in await llm.astream_complete(question)] for question in QUESTIONS]
    assert [parts[-1].text for parts in streamed] == expected
    assert [llm.chat([message(question)]).message.content for question in QUESTIONS] == expected


def message(text: str) -> Any:
    from llama_index.core.base.llms.types import ChatMessage

    return ChatMessage(role="user", content=text)


def test_base_model_and_adapter_do_not_answer_alike(served):
    llm = served.llm(stop=[])
    assert llm.complete(QUESTIONS[0]).text != llm.with_adapter(None).complete(QUESTIONS[0]).text


def test_the_adapter_is_proved(served):
    proof = served.llm().verify()
    assert [check.name for check in proof.checks] == [
        "served names", "base model", "prompt", "tokens", "base weights", "adapter weights",
    ]  # fmt: skip
    assert proof.gap == ""


def test_without_a_manifest_the_gap_is_told(served):
    proof = served.llm(manifest=None).verify()
    assert [check.name for check in proof.checks] == ["served names", "adapter weights"]
    assert "nothing tells whose adapter answers" in proof.gap


def failed_check(served: Served, adapter: str | None = "trained", **more: Any) -> str:
    # Before first use, not only where verify() is called.
    with pytest.raises(AdapterNotActive) as caught:
        served.llm(adapter, verify_first=True, **more).complete("x")
    assert f"'{caught.value.check}'" in str(caught.value)
    return caught.value.check


def test_an_adapter_that_is_not_loaded_is_caught(served):
    assert failed_check(served, "another") == "served names"


def test_the_base_models_served_name_is_caught(served):
    llm = VllmLora("mistralai/Mistral-7B-v0.1", "base", api_base=served.server.api_base)
    with pytest.raises(AdapterNotActive, match="'served names'"):
        llm.complete("x")


def test_another_adapter_under_the_right_name_is_caught(served):
    assert failed_check(served, manifest=str(served.folders["another"])) == "adapter weights"


def test_a_changed_template_is_caught(served):
    assert failed_check(served, prompt_hash="0" * 16) == "prompt"


def test_an_adapter_that_changes_nothing_is_caught(tiny):
    tiny.api.load_adapter("zero", str(tiny.base.parent / "zero"))
    manifest = str(tiny.folders["trained"])
    assert failed_check(tiny, "zero", manifest=manifest) == "adapter weights"
    assert failed_check(tiny, "zero") == "adapter weights"
    tiny.api.unload_adapter("zero")


def test_an_adapter_of_another_base_is_caught(tiny, tmp_path):
    tiny.api.load_adapter("foreign", str(tiny.folders["foreign"]))
    assert failed_check(tiny, "foreign") == "base model"
    # Also where the names agree and the weights do not.
    manifest = read_manifest(tiny.folders["foreign"])
    write_manifest(manifest.model_copy(update={"base_model": str(tiny.base)}), tmp_path)
    assert failed_check(tiny, "foreign", manifest=str(tmp_path / MANIFEST_NAME)) == "base weights"
    tiny.api.unload_adapter("foreign")


def test_several_adapters_answer_on_one_server(served):
    served.api.load_adapter("another", str(served.folders["another"]))
    other = served.llm(stop=[], verify_first=True).with_adapter("another", manifest=str(served.folders["another"]))
    # The tokens, because transformers leaves out the space that an answer may begin with.
    answer = other.complete(QUESTIONS[0], return_token_ids=True)
    assert answer.raw.choices[0].token_ids == served.greedy(QUESTIONS[0], adapter="another")[1]
    served.api.unload_adapter("another")
    with pytest.raises(ServerError, match=r"404.*another"):
        other.complete(QUESTIONS[0])


def test_a_rank_above_the_servers_is_told_in_its_own_words(tiny):
    with pytest.raises(ServerError, match=r"LoRA rank 32 is greater than max_lora_rank 16"):
        tiny.api.load_adapter("wide", str(tiny.base.parent / "wide"))


class Verdict(BaseModel):
    answer: Literal["yes", "no"]


def test_answers_fit_a_schema(served):
    template = PromptTemplate("{question} Answer yes or no, in JSON.")
    verdict = served.llm(max_tokens=60).structured_predict(Verdict, template, question=QUESTIONS[0])
    assert verdict.answer in ("yes", "no")


async def test_ragas_takes_a_served_model_as_its_judge(smollm2, tmp_path):
    evidence = "Green tea lowered the resting heart rate."
    case = EvaluationCase("1", "Does green tea lower the heart rate?", ("PMID:1",))
    server, journal = JudgeServer(smollm2.server.api_base, "base"), tmp_path / "judge.jsonl"
    async with ModelCalls.open(server, journal, timeout=300) as calls:
        (measure,) = measures_of(["Faithfulness(ragas)"], ragas=RagasJudge(calls, max_tokens=150))
        score = await measure.ascore(case, Answer("Green tea lowers it.", (Evidence("PMID:1", evidence),)))
    # So small a model judges nothing well, and may write on and on; but what it writes fits the schema.
    assert calls.totals.failures == {}
    assert score.value is not None or score.reason in ("judge truncated", "no statements")
    texts = [row["answer"]["choices"][0]["message"]["content"] for _, row in read_rows(journal)]
    assert texts
    assert all(text.replace(" ", "").startswith('{"statements":[') for text in texts)


def test_what_the_server_tells(served):
    llm = served.llm(logprobs=True, top_logprobs=1, max_tokens=5)
    assert llm.metadata.context_window == 1024
    answer = llm.complete(QUESTIONS[0])
    assert answer.additional_kwargs["finish_reason"] == "length"
    assert answer.additional_kwargs["completion_tokens"] == 5
    assert len(answer.logprobs) == 5
    # A chat that LlamaIndex makes of a completion has none.
    assert not served.chat or len(llm.chat([message(QUESTIONS[0])]).logprobs) == 5
    streamed = list(llm.stream_complete(QUESTIONS[0]))
    assert streamed[-1].additional_kwargs["completion_tokens"] == 5
    assert sum(len(part.logprobs or []) for part in streamed) == 5
    with pytest.raises(ServerError, match="Shorten the prompt"):
        llm.complete("tea " * 2000)


def test_a_server_killed_in_mid_stream_is_told_and_a_restarted_one_answers(tiny):
    """The last test of this server."""
    llm = tiny.llm(max_tokens=900, stop=[], max_retries=0)
    stream = llm.stream_complete(QUESTIONS[0], ignore_eos=True)
    next(stream)
    os.killpg(tiny.server._process.pid, signal.SIGKILL)
    with pytest.raises(ServerError, match=r"broke off its answer|No language-model server answers"):
        list(stream)
    with pytest.raises(ServerError, match="No language-model server answers"):
        llm.complete(QUESTIONS[0])
    tiny.server.stop()
    wide = replace(tiny.server.settings, adapters={"wide": str(tiny.base.parent / "wide")})
    with pytest.raises(ServerError, match=r"ended while starting.*LoRA rank 32 is greater than max_lora_rank 16"):
        VllmProcess(wide, python=VLLM_PYTHON, environment=ENVIRONMENT).start()


def test_stop_leaves_neither_port_nor_process(smollm2):
    """The last test of this server."""
    group = smollm2.server._process.pid
    smollm2.server.stop()
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(smollm2.server.api_base, trust_env=False)
