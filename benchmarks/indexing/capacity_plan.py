"""Writes the tables of ``docs/capacity-plan.md``: resources to index all of PubMed.

Usage::

    python -m benchmarks.indexing.capacity_plan

Measured rates come from ``benchmarks/results``; everything else is an assumption below, to be replaced by the reader.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.provenance import RESULTS, ROOT

PAGE = ROOT / "docs" / "capacity-plan.md"
BEGIN, END = "<!-- begin: benchmarks.indexing.capacity_plan -->", "<!-- end: benchmarks.indexing.capacity_plan -->"
HOURS_PER_MONTH = 730
OLD, NEW = "pubmed20n0014.xml.gz", "pubmed21n1298.xml.gz"


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
        name: of the product.
        peak: dense bf16 peak of the data sheet, in TFLOP/s.
        price: assumed, in dollars an hour.
    """

    name: str
    peak: float
    price: float


@dataclass(frozen=True)
class Assumptions:
    """Assumptions: what nobody measured here.

    Attributes:
        records: citations in PubMed.
        layers, hidden: shape of e5-large (a BERT-large); the feed-forward layer is 4 times as wide.
        utilisation: share of a GPU's peak that embedding reaches.
        chunks_per_server: chunks of one Chroma server.
        memory_headroom: memory of a server over what its vectors take.
        server_price: of a server with that memory, in dollars an hour.
        disk_price: in dollars a GB and month.
        line_mbit: of the way to NLM, in Mbit/s.
        gpus: what could embed.
    """

    records: int = 38_000_000
    layers: int = 24
    hidden: int = 1024
    utilisation: float = 0.4
    chunks_per_server: int = 10_000_000
    memory_headroom: float = 1.5
    server_price: float = 1.00
    disk_price: float = 0.08
    line_mbit: float = 200.0
    gpus: tuple[Gpu, ...] = (Gpu("L4", 121, 0.80), Gpu("A100", 312, 2.00), Gpu("H100 SXM", 989, 3.00))


@dataclass(frozen=True)
class Sample:
    """Figures of MEDLINE files, per record.

    Attributes:
        name: for the head of a column.
        share: of the records that have an abstract, from 0 to 1.
        chunks: of a record with an abstract.
        tokens: of a chunk, as the model sees it.
        compressed, content: bytes of the file, before and after gzip is undone.
        splitting: chunks a CPU-second.
    """

    name: str
    share: float
    chunks: float
    tokens: float
    compressed: float
    content: float
    splitting: float


def sample(name: str, corpora: list[dict[str, Any]]) -> Sample:
    """Return one or several files of the results as one sample."""

    def total(key: str) -> float:
        return sum(corpus[key] for corpus in corpora)

    return Sample(
        name=name,
        share=total("with_abstract") / total("records"),
        chunks=total("chunks") / total("with_abstract"),
        tokens=sum(corpus["tokens"]["mean"] * corpus["chunks"] for corpus in corpora) / total("chunks"),
        compressed=total("file_bytes") / total("records"),
        content=total("content_bytes") / total("records"),
        splitting=total("chunks") / total("splitting_cpu_s"),
    )


def chunk_count(of: Sample, assumed: Assumptions) -> float:
    """Return the number of chunks of all records.

    Those with an abstract have several, the others one (their title).
    """
    return assumed.records * (of.share * of.chunks + 1 - of.share)


def token_flop(tokens: float, assumed: Assumptions) -> float:
    """Return the floating-point operations of a token in a text.

    Two a weight, and attention over the text.

    A layer has 12 hidden² weights (4 in attention, 8 in the feed-forward layer); scores and weighted sums take 2
    operations each for every hidden unit and token of the text.
    """
    weights = 12 * assumed.hidden**2
    return assumed.layers * (2 * weights + 4 * tokens * assumed.hidden)


def gpu_hours(of: Sample, gpu: Gpu, assumed: Assumptions) -> float:
    """Hours of one GPU for all chunks."""
    flop = chunk_count(of, assumed) * of.tokens * token_flop(of.tokens, assumed)
    return flop / (gpu.peak * 1e12 * assumed.utilisation) / 3600


def server_count(of: Sample, assumed: Assumptions) -> int:
    """Return the number of Chroma servers of a limited size."""
    return math.ceil(chunk_count(of, assumed) / assumed.chunks_per_server)


def measured_writing(rates: "Rates") -> float:
    """Return CPU-seconds to write a chunk at the measured size.

    Over the last doubling of the measured collection.
    """
    before, after = rates.database[-2:]
    return float((after["writing_cpu_s"] - before["writing_cpu_s"]) / (after["chunks"] - before["chunks"]))


def writing_seconds(rates: "Rates", chunks: float) -> float:
    """Return mean CPU-seconds to write a chunk in a growing collection.

    An HNSW graph is searched at every insertion, in steps that grow with the logarithm of its size (Malkov and
    Yashunin 2018, arXiv 1603.09320, section 4.2.2); the mean of log k for k up to n is the logarithm of n / e.
    """
    middle = sum(state["chunks"] for state in rates.database[-2:]) / 2
    return measured_writing(rates) * math.log(chunks / math.e) / math.log(middle)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table, figures to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def hours(value: float) -> str:
    """Return hours as text, in days where there are many."""
    return f"{value:,.1f} h" if value < 72 else f"{value:,.0f} h ({value / 24:,.1f} days)"


def size(value: float) -> str:
    """Return bytes as text in GB of 10⁹, or TB."""
    return f"{value / 1e9:,.0f} GB" if value < 1e12 else f"{value / 1e12:,.2f} TB"


@dataclass(frozen=True)
class Rates:
    """Measured figures that do not depend on the records.

    Attributes:
        reading: records a CPU-second.
        dimension: of the vectors.
        tables, vectors, resident: bytes of a chunk in SQLite, in the vectors' files, and in memory.
        database: measurements of the growing collection.
    """

    reading: float
    dimension: int
    tables: float
    vectors: float
    resident: float
    database: list[dict[str, Any]]

    @classmethod
    def of(cls, rates: dict[str, Any], speed: dict[str, Any]) -> "Rates":
        """Return the rates of the results' files."""
        largest = rates["database"][-1]
        return cls(
            reading=speed["readers"]["medqa_index"]["records_per_cpu_s"],
            dimension=rates["dimension"],
            tables=largest["tables_bytes"] / largest["chunks"],
            vectors=largest["vectors_bytes"] / largest["chunks"],
            resident=largest["resident_bytes"] / largest["chunks"],
            database=rates["database"],
        )


def render(rates: dict[str, Any], speed: dict[str, Any], assumed: Assumptions) -> str:
    """Return the generated part of the page."""
    old, new = rates["corpora"][OLD], rates["corpora"][NEW]
    samples = [sample("as 1977-79", [old]), sample("as both files", [old, new]), sample("as 2021", [new])]
    measured = Rates.of(rates, speed)
    names = [of.name for of in samples]
    parts = [
        "### Measured: records",
        table(["", *names], record_rows(samples)),
        f"Two files of MEDLINE, and both together: {_link('capacity_rates')}.",
        "### Measured: rates",
        table(["", "figure", "results"], rate_rows(measured)),
        "### Assumed",
        table(["", "figure"], assumption_rows(samples[1], assumed)),
        "### All of PubMed",
        table(["if all records were", *names], plan_rows(samples, measured, assumed)),
        "### Cost",
        table(["if all records were", *names], cost_rows(samples, measured, assumed)),
    ]
    return "\n\n".join(parts)


def record_rows(samples: list[Sample]) -> list[list[str]]:
    """Return rows on the records of the samples."""
    return [
        ["records with an abstract", *(f"{of.share:.1%}" for of in samples)],
        ["chunks of a record with an abstract", *(f"{of.chunks:.2f}" for of in samples)],
        ["tokens of a chunk, prefix included", *(f"{of.tokens:.1f}" for of in samples)],
        ["bytes of a record, gzip", *(f"{of.compressed:,.0f}" for of in samples)],
        ["bytes of a record, XML", *(f"{of.content:,.0f}" for of in samples)],
        ["chunks split in a CPU-second", *(f"{of.splitting:,.0f}" for of in samples)],
    ]


def rate_rows(rates: Rates) -> list[list[str]]:
    """Return rows on what does not depend on the records.

    With the results' file.
    """
    before, after = (f"{state['chunks']:,}" for state in rates.database[-2:])
    link = _link("capacity_rates")
    return [
        ["records read for an index in a CPU-second", f"{rates.reading:,.0f}", _link("xml_speed")],
        ["bytes of a chunk in Chroma's SQLite file", f"{rates.tables:,.0f}", link],
        ["bytes of a chunk in Chroma's vector files", f"{rates.vectors:,.0f}", link],
        ["memory of a chunk in a process that searches, bytes", f"{rates.resident:,.0f}", link],
        [f"CPU-milliseconds to write a chunk, from {before} to {after}", f"{measured_writing(rates) * 1000:.2f}", link],
    ]


def assumption_rows(of: Sample, assumed: Assumptions) -> list[list[str]]:
    """Return what nobody measured here."""
    return [
        ["citations in PubMed", f"{assumed.records:,}"],
        *[[f"peak of {gpu.name}, dense bf16 (data sheet)", f"{gpu.peak:g} TFLOP/s"] for gpu in assumed.gpus],
        ["share of that peak that embedding reaches", f"{assumed.utilisation:.0%}"],
        ["operations for a token of e5-large (formula below)", f"{token_flop(of.tokens, assumed) / 1e9:.3f} GFLOP"],
        ["chunks of one Chroma server", f"{assumed.chunks_per_server:,}"],
        ["memory of a server over its vectors and graph", f"{assumed.memory_headroom:g} times"],
        ["prices", "as in the last table"],
    ]


def plan_rows(samples: list[Sample], rates: Rates, assumed: Assumptions) -> list[list[str]]:
    """Amounts and hours for all of PubMed."""
    counts = [chunk_count(of, assumed) for of in samples]
    servers = [server_count(of, assumed) for of in samples]
    shares = [count / number for count, number in zip(counts, servers, strict=True)]
    downloads = [assumed.records * of.compressed for of in samples]
    line = assumed.line_mbit * 1e6 / 8
    reading = hours(2 * assumed.records / rates.reading / 3600)
    splitting = [count / of.splitting / 3600 for count, of in zip(counts, samples, strict=True)]
    return [
        ["chunks, millions", *(f"{count / 1e6:,.0f}" for count in counts)],
        ["bare vectors", *(size(count * 4 * rates.dimension) for count in counts)],
        ["memory of all servers, vectors and graph", *(size(count * rates.resident) for count in counts)],
        ["disk: tables", *(size(count * rates.tables) for count in counts)],
        ["disk: vectors", *(size(count * rates.vectors) for count in counts)],
        ["download from NLM", *(size(number) for number in downloads)],
        [f"the same at {assumed.line_mbit:g} Mbit/s", *(hours(number / line / 3600) for number in downloads)],
        ["CPU: reading the files twice", *[reading] * len(samples)],
        ["CPU: splitting", *(hours(number) for number in splitting)],
        *[
            [f"one {gpu.name}: embedding (estimate)", *(hours(gpu_hours(of, gpu, assumed)) for of in samples)]
            for gpu in assumed.gpus
        ],
        ["Chroma servers", *(str(number) for number in servers)],
        ["chunks of a server, millions", *(f"{share / 1e6:.1f}" for share in shares)],
        ["memory of a server", *(size(share * rates.resident * assumed.memory_headroom) for share in shares)],
        [
            "one core of each server: writing (estimate)",
            *(hours(writing_seconds(rates, share) * share / 3600) for share in shares),
        ],
    ]


def cost_rows(samples: list[Sample], rates: Rates, assumed: Assumptions) -> list[list[str]]:
    """Dollars, at the assumed prices."""
    disks = [chunk_count(of, assumed) * (rates.tables + rates.vectors) / 1e9 for of in samples]
    servers = [server_count(of, assumed) for of in samples]
    return [
        *[
            [
                f"embedding on {gpu.name}, ${gpu.price:.2f} an hour",
                *(f"${gpu_hours(of, gpu, assumed) * gpu.price:,.0f}" for of in samples),
            ]
            for gpu in assumed.gpus
        ],
        [
            f"servers a month, ${assumed.server_price:.2f} an hour each",
            *(f"${number * assumed.server_price * HOURS_PER_MONTH:,.0f}" for number in servers),
        ],
        [
            f"disk a month, ${assumed.disk_price:.2f} a GB",
            *(f"${disk * assumed.disk_price:,.0f}" for disk in disks),
        ],
    ]


def _link(name: str) -> str:
    return f"[{name}](../benchmarks/results/{name}.json)"


def generated() -> str:
    """Return the tables of the committed results."""
    rates, speed = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("capacity_rates", "xml_speed"))
    return render(rates, speed, Assumptions())


def with_tables(page: str, tables: str) -> str:
    """Return the page with the tables between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{PAGE.name} lacks {BEGIN} or {END}: put the two lines back where the tables belong.")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(with_tables(PAGE.read_text(), generated()))
    print(PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE)


if __name__ == "__main__":
    main()
