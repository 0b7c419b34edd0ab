"""Building an index with Ray: workers read, split, embed and write to a server.

The steps, none of which brings a record to the process that started them:

1. Every file is read on a worker for its identities: which records it holds, in which version, and where.
2. The identities are shuffled by document id, and of superseded versions of a record the positions are noted.
3. Every file is read again without the superseded versions. Each document is now in the data exactly once.
4. Batches of documents go to workers that hold the embedder. Each lets :class:`PubMedIndex` write what is new.

A document is in one batch only, so no two tasks write the same chunks. Ingestion writes the difference under stable
ids, so a task that Ray repeats after a failure ends what the first attempt began.
"""

import logging
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core import Document, StorageContext
from llama_index.core.schema import BaseComponent

from llama_index_medqa.errors import EmptyCorpusError, InputError, MedQAError, MissingExtraError, ServerError
from llama_index_medqa.indexing.identity import identity_of, require_same
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.indexing.ingestion import IngestReport
from llama_index_medqa.indexing.node_parser import TokenNodeParser
from llama_index_medqa.indexing.reader import to_changes
from llama_index_medqa.indexing.updating import note_source_day, outdated_days
from llama_index_medqa.pubmed.formats.file_plans import identity_table, partial_plans, planned_batches, whole_plan
from llama_index_medqa.pubmed.formats.reading import STANDARD_INPUT, expand_sources
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.vector_store.store import PubMedVectorStore

if TYPE_CHECKING:
    from ray.data import Dataset

_logger = logger_of(__name__)

Row = dict[str, Any]

ANY_CLUSTER = "auto"
# A core is shared by one worker that embeds and one that reads; with these shares a single core is enough.
_EMBEDDING_CPUS = 0.75
_READING_CPUS = 0.25
# Two workers a GPU: while one embeds, the other splits and writes.
_WORKERS_PER_GPU = 2
# Small blocks let the batches of one file go to several workers, and bound what a failure repeats.
_BLOCK_BYTES = 1 << 20
_MOST_PARTITIONS = 200
_NAMED_AT_MOST = 5
_CONNECT_TIMEOUT_S = 10.0
# Fields of embedders and splitters.
_MAY_BE_PATHS = ("model_name", "tokenizer")


@dataclass(frozen=True)
class Cluster:
    """How the work is spread over a cluster.

    Attributes:
        started: whether it was started for this run, on this machine alone.
        nodes: number of machines (Ray nodes).
        cpus: number of CPU cores.
        gpus: number of GPUs.
    """

    started: bool
    nodes: int
    cpus: float
    gpus: float

    def __str__(self) -> str:
        kind = "started for this run on this machine" if self.started else "an existing cluster"
        return f"Ray ({kind}): {self.nodes} nodes, {self.cpus:g} CPU cores, {self.gpus:g} GPUs"


@dataclass(frozen=True)
class ScaleOutReport:
    """Counts of an ingestion by Ray.

    Attributes:
        ingested: the sum over all workers. It equals the report of a single process, unless a worker failed: what it
            had written before that is counted as unchanged by the one who did the work again.
        failed: files that could not be read, and why; all others were indexed.
    """

    ingested: IngestReport
    failed: dict[str, str] = field(default_factory=dict)


@contextmanager
def ray_cluster(address: str = ANY_CLUSTER) -> Iterator[Cluster]:
    """Connect to a Ray cluster for a ``with`` block, if not yet connected.

    Args:
        address: ``HOST:PORT`` of a cluster's head; ``local`` starts one on this machine; ``auto`` takes the one that
            ``RAY_ADDRESS`` names or that this machine belongs to, and starts one where there is none.

    Raises:
        MissingExtraError: Ray is not installed.
        ServerError: no cluster answers at that address, or it runs another version of Ray.
    """
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise MissingExtraError("--ray", "ray") from error
    if ray.is_initialized():
        yield _describe(started=False)
        return
    started = _connect(address)
    try:
        yield _describe(started=started)
    finally:
        ray.shutdown()


def ingest_with_ray(
    index: PubMedIndex,
    files: Iterable[str],
    *,
    wait: bool = True,
    progress: Callable[[IngestReport], None] | None = None,
) -> ScaleOutReport:
    """Ingest files into an index on a Chroma server, by Ray.

    The index becomes the one that a single process would have built of the same files, chunk for chunk. The workers
    must see the files, and the folder of the embedding model, under the same paths as this process.

    Args:
        index: an index on a Chroma server that the workers reach.
        files: paths, folders or glob patterns; their order counts.
        wait: whether to wait for another process that writes to the index; the log says for which.
        progress: called after every batch with the sum so far.

    Raises:
        IndexBusyError: another process writes to the index, and ``wait`` is False.
        InputError: the index lies in a folder, which one process alone can write; or no file can be read.
        EmptyCorpusError: no file holds a record.
        IndexIdentityError: the workers' embedding model is another one.
        ServerError: the Chroma server or the Ray cluster failed.
    """
    _require_server(index.store)
    paths = _absolute_paths(list(files))  # the workers start in folders of their own
    total = _Total(progress)
    with index.store.sole_writer(wait=wait), _ray_errors(), _settings():
        outdated = outdated_days(index)
        plans = _plans(paths).materialize()
        for row in _ingested(plans, paths, _Opening.of(index)).iter_rows():
            total.add(row, paths)
    total.require_records()
    if total.records > total.with_text:
        _logger.warning("%d records have neither title nor abstract and were left out", total.records - total.with_text)
    if total.revised:
        day = datetime.strptime(str(total.revised), "%Y%m%d").replace(tzinfo=UTC).date()
        note_source_day(index, day, outdated=outdated)
    return ScaleOutReport(total.report, total.failed)


def _absolute_paths(files: list[str]) -> list[str]:
    if STANDARD_INPUT in files:
        raise InputError("Standard input cannot be read by Ray's workers: write it to a file that they see.")
    return [str(Path(path).absolute()) for path in expand_sources(files)]


def _require_server(store: Any) -> None:
    if not isinstance(store, PubMedVectorStore) or store.host is None:
        folder = getattr(store, "persist_dir", None) or "FOLDER"
        raise InputError(
            f"The index in {store.address} is not on a Chroma server, and Ray's processes write to no other. Start one "
            f"with `chroma run --path {folder} --host 0.0.0.0 --port 8000`, and open it with host= and port=."
        )


def _connect(address: str) -> bool:
    """Connect, and return whether a cluster was started."""
    import ray

    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):  # its log file has all of it, the terminal our own progress
            handler.setLevel(logging.CRITICAL)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        _require_listener(host, int(port))
    try:
        ray.init(address=address, **quiet)
    except ConnectionError as error:
        if address == ANY_CLUSTER:
            ray.init(address="local", **quiet)
            return True
        raise _no_cluster(address, error) from error
    except (RuntimeError, ValueError) as error:
        raise _no_cluster(address, error) from error
    return address == "local"


def _require_listener(host: str, port: int) -> None:
    """Raise if nothing listens at the address. Ray itself would try for minutes."""
    try:
        socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _no_cluster(f"{host}:{port}", error) from error


def _no_cluster(address: str, error: Exception) -> ServerError:
    reason = str(error).strip().partition("\n")[0]
    return ServerError(
        f"The Ray cluster at {address} cannot be used ({reason}). Start one with `ray start --head`, with the same "
        "versions of Python and Ray as here, or give --ray local."
    )


def _describe(*, started: bool) -> Cluster:
    import ray

    resources = ray.cluster_resources()
    nodes = sum(bool(node["Alive"]) for node in ray.nodes())
    return Cluster(started, nodes, resources.get("CPU", 0.0), resources.get("GPU", 0.0))


@contextmanager
def _settings() -> Iterator[None]:
    """Use Ray Data's settings for our datasets. Those of the user's own datasets stay."""
    from ray.data import DataContext
    from ray.data.context import ShuffleStrategy

    context: DataContext = DataContext.get_current().copy()
    # This shuffle is made of tasks alone, which Ray repeats after a failure; the older one keeps rows in actors.
    context.shuffle_strategy = ShuffleStrategy.SHUFFLE_V2
    context.target_max_block_size = _BLOCK_BYTES
    context.enable_progress_bars = False
    with DataContext.current(context):
        yield


@contextmanager
def _ray_errors() -> Iterator[None]:
    """Raise our own errors as they are, Ray's in a line. For errors that come back from the workers."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, MedQAError):
            raise cause from error
        reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        raise ServerError(
            f"The Ray cluster failed ({reason.strip()}). Run the same command again: what was written stays."
        ) from error


def _plans(paths: list[str]) -> "Dataset":
    """Return a row of :func:`whole_plan` for every file. The positions not to read, and what went wrong."""
    import ray.data

    partitions = min(len(paths), _MOST_PARTITIONS)
    return (
        ray.data.from_items([{"file": number} for number in range(len(paths))], override_num_blocks=len(paths))
        .map_batches(identity_table, batch_size=1, batch_format="pyarrow", fn_kwargs={"paths": paths})
        .repartition(partitions, keys=["document_id"])
        .map_batches(partial_plans, batch_size=None, batch_format="pyarrow")
        .groupby("file", num_partitions=partitions)
        .map_groups(whole_plan, batch_format="pyarrow")
    )


def _ingested(plans: "Dataset", paths: list[str], opening: "_Opening") -> "Dataset":
    """Ingest files by their plans on the workers. Each batch gives a row with its outcome."""
    import ray
    from ray.data import ActorPoolStrategy

    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    workers = gpus * _WORKERS_PER_GPU if gpus else int(resources.get("CPU", 1))
    return plans.flat_map(planned_batches, fn_kwargs={"paths": paths}, num_cpus=_READING_CPUS).map(
        _Writer,
        fn_constructor_args=(opening,),
        compute=ActorPoolStrategy(min_size=1, max_size=max(1, workers)),
        num_cpus=_EMBEDDING_CPUS,
        num_gpus=1 / _WORKERS_PER_GPU if gpus else 0,
    )


@dataclass(frozen=True)
class _Opening:
    """How a worker opens the index.

    Attributes:
        location: arguments of :class:`PubMedVectorStore`.
        embed_model: class and saved form of the embedder.
        transformations: class and saved form of the splitter and what else makes chunks.
        identity: what the index was built with.
        writer: the token of the process that is the sole writer, which the workers write for.
    """

    location: Row
    embed_model: tuple[type[BaseComponent], Row]
    transformations: list[tuple[type[BaseComponent], Row]]
    identity: dict[str, str | int]
    writer: str = ""

    @classmethod
    def of(cls, index: PubMedIndex) -> "_Opening":
        """Return how to open an index of this process."""
        names = ("collection_name", "host", "port", "ssl", "headers")
        return cls(
            {name: getattr(index.store, name) for name in names},
            _saved(index._embed_model),
            [_saved(step) for step in index._transformations],
            index.identity,
            lock.token if (lock := getattr(index.store, "_server_lock", None)) else "",
        )

    def open(self) -> PubMedIndex:
        """Open the index. This machine's embedder is checked first: it may be another one of the same name."""
        store = PubMedVectorStore(create=False, **self.location)
        if lock := store._server_lock:
            lock.write_for(self.writer)
        kind, saved = self.embed_model
        embed_model: Any = kind.from_dict(saved)
        transformations: list[Any] = [kind.from_dict(saved) for kind, saved in self.transformations]
        parser = next(step for step in transformations if isinstance(step, TokenNodeParser))
        require_same(self.identity, identity_of(embed_model, parser), store)
        context = StorageContext.from_defaults(vector_store=store)
        return PubMedIndex(storage_context=context, embed_model=embed_model, transformations=transformations)


def _saved(component: BaseComponent) -> tuple[type[BaseComponent], Row]:
    saved = component.to_dict()
    # A cache of vectors is one machine's; on the workers it would be a second copy of the index.
    saved.pop("cache_dir", None)
    for name in _MAY_BE_PATHS:
        if name in saved and Path(saved[name]).exists():
            saved[name] = str(Path(saved[name]).absolute())
    return type(component), saved


class _Writer:
    """A worker with the embedder, which ingests batches of documents.

    Args:
        opening: how to open the index.
    """

    def __init__(self, opening: _Opening) -> None:
        self._index = opening.open()

    def __call__(self, row: Row) -> Row:
        """Ingest a batch and return its report. The batch is one of :func:`planned_batches`."""
        records: list[PubMedRecord | Deletion] = pickle.loads(row["records"])  # noqa: S301 - our own task pickled it
        changes = list(to_changes(records))
        report = self._index.ingest(changes) if changes else IngestReport()
        revised = [int(item.metadata.get("revised", 0)) for item in changes if isinstance(item, Document)]
        outcome = {"file": row["file"], "error": row["error"], "records": len(records)}
        return {**outcome, "with_text": len(changes), "revised": max(revised, default=0), **asdict(report)}


class _Total:
    """The sum of the workers' reports.

    Args:
        progress: see :func:`ingest_with_ray`.
    """

    def __init__(self, progress: Callable[[IngestReport], None] | None) -> None:
        self._progress = progress
        self.report = IngestReport()
        self.failed: dict[str, str] = {}
        self.records = 0
        self.with_text = 0
        self.revised = 0

    def add(self, row: Row, paths: Sequence[str]) -> None:
        """Add a row of :class:`_Writer`."""
        for count in fields(IngestReport):
            setattr(self.report, count.name, getattr(self.report, count.name) + row[count.name])
        self.records += row["records"]
        self.with_text += row["with_text"]
        self.revised = max(self.revised, row["revised"])
        if row["error"]:
            self.failed[paths[row["file"]]] = row["error"]
        if self._progress:
            self._progress(self.report)

    def require_records(self) -> None:
        """Raise if the input held nothing."""
        if self.records:
            return
        if self.failed:
            reasons = "; ".join(list(self.failed.values())[:_NAMED_AT_MOST])
            raise InputError(f"None of the files can be read ({len(self.failed)} failed): {reasons}")
        raise EmptyCorpusError("There is nothing to index: the input holds no record.")
