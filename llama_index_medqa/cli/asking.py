"""Opening index and models for the commands that answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from llama_index_medqa.cli.options import chosen_policy, chosen_profile, chosen_strictness, require_index
from llama_index_medqa.profiles import Policy, Profile
from llama_index_medqa.verification.verdicts import Strictness

if TYPE_CHECKING:
    from llama_index_medqa.answering.query_engine import MedQAQueryEngine
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.cli.option_groups import AnsweringOptions
    from llama_index_medqa.components import DraftingModel
    from llama_index_medqa.indexing.index import PubMedIndex
    from llama_index_medqa.retrieval.paper_filter import PaperFilter
    from llama_index_medqa.server.service import AnswerService


@dataclass(frozen=True)
class AnsweredWith:
    """The checked options of a command that answers.

    Attributes:
        profile: the models, and how they are asked.
        folder: of the index.
        weights: GGUF file in place of the profile's weights.
        weights_sha256: its expected hash.
        include_retracted: whether retracted papers may be found.
        policy: what becomes of sentences that nothing supports.
        strictness: how sure the verifier must be.
    """

    profile: Profile
    folder: str
    weights: str | None = None
    weights_sha256: str | None = None
    include_retracted: bool = False
    policy: Policy = "strict"
    strictness: Strictness = "balanced"

    @classmethod
    def of_options(cls, options: "AnsweringOptions") -> "AnsweredWith":
        """Check the options of a command.

        Raises:
            UsageError: a profile, a policy, a strictness or a kind of model or retrieval does not exist.
        """
        strictness = chosen_strictness(options.strictness)
        profile = chosen_profile(
            options.profile,
            llm=options.llm or None,
            api_base=options.api_base,
            embedder=options.embedder,
            base_model=options.model,
            adapter=options.adapter,
            manifest=options.manifest,
            similarity_top_k=options.top_k,
            retrieval=options.retrieval,
        )
        return cls(
            profile,
            options.folder,
            weights=options.weights,
            weights_sha256=options.weights_sha256,
            include_retracted=options.include_retracted,
            policy=chosen_policy(options.policy),
            strictness=strictness,
        )

    def require(self) -> None:
        """Raise if the index or the server is missing.

        Asked before anything large is loaded.

        Raises:
            IndexNotFoundError: there is no index.
            ServerError: the server does not answer, or does not serve the model.
        """
        from llama_index_medqa.components import require_server

        require_index(self.folder)
        require_server(self.profile)

    def fingerprint(self, papers: "PaperFilter") -> str:
        """Return 12 hexadecimal digits that identify the settings.

        They change with whatever may change an answer, but for the index's content.
        """
        import hashlib
        import json

        # Where the server stands says nothing of what it answers, and may hold a key.
        content = [asdict(replace(self, profile=replace(self.profile, api_base=""))), asdict(papers)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Opened:
    """The opened index, models and engine.

    Attributes:
        engine: a streaming one.
        drafter: the model that drafts, or ``extractive``.
        index: what is searched.
    """

    engine: "MedQAQueryEngine"
    drafter: "DraftingModel"
    index: "PubMedIndex"


@contextmanager
def opened(terminal: "Terminal", chosen: AnsweredWith) -> Iterator[Opened]:
    """Open the index and the models, for the length of the block.

    Args:
        terminal: shows what is loaded.
        chosen: what to answer with.
    """
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import ExitStack

    from llama_index_medqa.components import open_drafter, open_embedder, open_engine, open_index

    def opened_index() -> "PubMedIndex":
        embedder = open_embedder(chosen.profile, progress, chosen.folder)
        return open_index(chosen.profile, chosen.folder, embedder)

    with ExitStack() as stack:
        with (
            terminal.working("Loading the models and the index"),
            terminal.weights_progress() as progress,
            ThreadPoolExecutor(1) as beside,
        ):
            # A local model's server reads its weights meanwhile.
            opening = beside.submit(opened_index)
            drafting = open_drafter(
                chosen.profile, weights=chosen.weights, weights_sha256=chosen.weights_sha256, progress=progress
            )
            drafter = stack.enter_context(drafting)
            index = opening.result()
        engine = open_engine(
            chosen.profile,
            index,
            drafter,
            include_retracted=chosen.include_retracted,
            policy=chosen.policy,
            strictness=chosen.strictness,
        )
        yield Opened(engine, drafter, index)


@contextmanager
def opened_service(terminal: "Terminal", chosen: AnsweredWith, **limits: int) -> Iterator["AnswerService"]:
    """Open the index, the models and an answer service.

    For the length of the block; the service answers many requests at once.

    Args:
        terminal: shows what is loaded.
        chosen: what to answer with.
        limits: of :class:`ServiceLimits`.
    """
    from llama_index_medqa.server.service import AnswerService, ServiceLimits

    with opened(terminal, chosen) as ready:
        service = AnswerService(
            ready.index,
            ready.engine,
            retrieval=chosen.profile.retrieval,
            include_retracted=chosen.include_retracted,
            limits=ServiceLimits(**limits),
        )
        try:
            yield service
        finally:
            service.close()
