"""Opening index and models for the commands that answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from llama_index_medqa.cli.options import chosen_policy, chosen_profile, chosen_strictness, require_index
from llama_index_medqa.profiles import Policy, Profile
from llama_index_medqa.verification.verdicts import Strictness

if TYPE_CHECKING:
    from llama_index_medqa.answering.query_engine import MedQAQueryEngine
    from llama_index_medqa.cli.display.terminal import Terminal
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
    def of_options(
        cls,
        profile: str,
        folder: str,
        *,
        policy: str,
        strictness: str,
        llm: str | None,
        api_base: str | None,
        **more: Any,
    ) -> "AnsweredWith":
        """Check the options of a command.

        Args:
            profile: name of a profile.
            folder: of the index.
            policy: name of a policy.
            strictness: name of a strictness.
            llm: kind of model; ``server`` where only an address is given.
            api_base: address of a server.
            more: other values of the profile, and fields of this class.

        Raises:
            UsageError: one of them does not exist.
        """
        fields = {name: more.pop(name) for name in ("weights", "weights_sha256", "include_retracted") if name in more}
        sureness = chosen_strictness(strictness)
        chosen = chosen_profile(profile, llm=llm or ("server" if api_base else None), api_base=api_base, **more)
        return cls(chosen, folder, policy=chosen_policy(policy), strictness=sureness, **fields)

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
    from contextlib import ExitStack

    from llama_index_medqa.components import open_drafter, open_embedder, open_engine, open_index

    with ExitStack() as stack:
        with terminal.working("Loading the models and the index"), terminal.weights_progress() as progress:
            index = open_index(chosen.profile, chosen.folder, open_embedder(chosen.profile, progress, chosen.folder))
            drafting = open_drafter(
                chosen.profile, weights=chosen.weights, weights_sha256=chosen.weights_sha256, progress=progress
            )
            drafter = stack.enter_context(drafting)
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
