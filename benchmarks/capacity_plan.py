"""Writes the tables of ``docs/capacity-plan.md``: what it takes to index all of PubMed, and from which figures.

Usage::

    python -m benchmarks.capacity_plan

Measured rates come from ``benchmarks/results``; everything else is an assumption below, to be replaced by the reader.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.provenance import RESULTS, ROOT

PAGE = ROOT / "docs" / "capacity-plan.md"
BEGIN, END = "<!-- begin: benchmarks.capacity_plan -->", "<!-- end: benchmarks.capacity_plan -->"
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
    """What nobody measured here.

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
    server_price: float = 0.60
    disk_price: float = 0.08
    line_mbit: float = 200.0
    gpus: tuple[Gpu, ...] = (Gpu("L4", 121, 0.80), Gpu("A100", 312, 2.00), Gpu("H100 SXM", 989, 3.00))


@dataclass(frozen=True)
class Sample:
    """Figures of MEDLINE files, a record.

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
    """One or several files of the results as one sample."""

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
    """Chunks of all records: those with an abstract have several, the others one (their title)."""
    return assumed.records * (of.share * of.chunks + 1 - of.share)


def token_flop(tokens: float, assumed: Assumptions) -> float:
    """Floating-point operations of a token in a text of so many: two a weight, and attention over the text.

    A layer has 12 hidden² weights (4 in attention, 8 in the feed-forward layer); scores and weighted sums take 2
    operations each for every hidden unit and token of the text.
    """
    weights = 12 * assumed.hidden**2
    return assumed.layers * (2 * weights + 4 * tokens * assumed.hidden)


def gpu_hours(of: Sample, gpu: Gpu, assumed: Assumptions) -> float:
    """Hours of one GPU for all chunks."""
    flop = chunk_count(of, assumed) * of.tokens * token_flop(of.tokens, assumed)
    return flop / (gpu.peak * 1e12 * assumed.utilisation) / 3600


def writing_seconds(database: list[dict[str, Any]], chunks: float) -> float:
    """CPU seconds for a chunk on the way to a collection of so many.

    Measured over the last doubling. An HNSW graph is searched at every insertion, in steps that grow with the
    logarithm of its size (Malkov and Yashunin 2018, arXiv 1603.09320, section 4.2.2); the mean over a collection that
    grows to n is taken at n / e.
    """
    before, after = database[-2], database[-1]
    measured = (after["writing_cpu_s"] - before["writing_cpu_s"]) / (after["chunks"] - before["chunks"])
    middle = (before["chunks"] + after["chunks"]) / 2
    return float(measured) * math.log(chunks / math.e) / math.log(middle)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, figures to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def hours(value: float) -> str:
    """Hours, in days where there are many."""
    return f"{value:,.1f} h" if value < 72 else f"{value:,.0f} h ({value / 24:,.1f} days)"


def size(value: float) -> str:
    """Bytes in GB of 10⁹, or TB."""
    return f"{value / 1e9:,.0f} GB" if value < 1e12 else f"{value / 1e12:,.2f} TB"


def render(rates: dict[str, Any], speed: dict[str, Any], assumed: Assumptions) -> str:
    """The generated part of the page."""
    old, new = rates["corpora"][OLD], rates["corpora"][NEW]
    samples = [sample("as 1977-79", [old]), sample("as both files", [old, new]), sample("as 2021", [new])]
    database = rates["database"]
    largest = database[-1]
    bytes_of = {key: largest[f"{key}_bytes"] / largest["chunks"] for key in ("tables", "vectors", "resident")}
    reading = speed["readers"]["medqa_index"]["records_per_cpu_s"]
    names = [of.name for of in samples]
    counts = [chunk_count(of, assumed) for of in samples]
    servers = [math.ceil(count / assumed.chunks_per_server) for count in counts]
    per_server = [count / number for count, number in zip(counts, servers, strict=True)]
    writing = [writing_seconds(database, count) for count in per_server]

    def row(name: str, *values: str) -> list[str]:
        return [name, *values]

    measured = [
        row("records with an abstract", *(f"{of.share:.1%}" for of in samples)),
        row("chunks of a record with an abstract", *(f"{of.chunks:.2f}" for of in samples)),
        row("tokens of a chunk, prefix included", *(f"{of.tokens:.1f}" for of in samples)),
        row("bytes of a record, gzip", *(f"{of.compressed:,.0f}" for of in samples)),
        row("bytes of a record, XML", *(f"{of.content:,.0f}" for of in samples)),
        row("chunks split in a CPU-second", *(f"{of.splitting:,.0f}" for of in samples)),
    ]
    rest = [
        row("records read for an index in a CPU-second", f"{reading:,.0f}", _link("xml_speed")),
        row("bytes of a chunk in Chroma's SQLite file", f"{bytes_of['tables']:,.0f}", _link("capacity_rates")),
        row("bytes of a chunk in Chroma's vector files", f"{bytes_of['vectors']:,.0f}", _link("capacity_rates")),
        row("memory of a chunk in a process that searches, bytes", f"{bytes_of['resident']:,.0f}", _link("capacity_rates")),
        row(
            f"CPU-milliseconds to write a chunk, {database[-2]['chunks']:,} to {largest['chunks']:,}",
            f"{1000 * writing_seconds(database, math.e * 30_000):.2f}",
            _link("capacity_rates"),
        ),
    ]  # fmt: skip
    plan = [
        row("chunks, millions", *(f"{count / 1e6:,.0f}" for count in counts)),
        row("bare vectors", *(size(count * 4 * rates["dimension"]) for count in counts)),
        row(
            "memory of all servers together, vectors and graph",
            *(size(count * bytes_of["resident"]) for count in counts),
        ),
        row("disk: tables", *(size(count * bytes_of["tables"]) for count in counts)),
        row("disk: vectors", *(size(count * bytes_of["vectors"]) for count in counts)),
        row("download from NLM", *(size(assumed.records * of.compressed) for of in samples)),
        row(
            f"download at {assumed.line_mbit:g} Mbit/s",
            *(hours(assumed.records * of.compressed * 8 / (assumed.line_mbit * 1e6) / 3600) for of in samples),
        ),
        row("CPU: reading the files twice", *[hours(2 * assumed.records / reading / 3600)] * len(samples)),
        row("CPU: splitting", *(hours(count / of.splitting / 3600) for count, of in zip(counts, samples, strict=True))),
        *[
            row(f"one {gpu.name}: embedding (estimate)", *(hours(gpu_hours(of, gpu, assumed)) for of in samples))
            for gpu in assumed.gpus
        ],
        row("Chroma servers", *(str(number) for number in servers)),
        row("chunks of a server, millions", *(f"{count / 1e6:.1f}" for count in per_server)),
        row(
            "memory to give a server",
            *(size(count * bytes_of["resident"] * assumed.memory_headroom) for count in per_server),
        ),
        row(
            "one core of each server: writing (estimate)",
            *(hours(seconds * count / 3600) for seconds, count in zip(writing, per_server, strict=True)),
        ),
    ]
    costs = [
        *[
            row(
                f"embedding on {gpu.name} at ${gpu.price:.2f} an hour",
                *(f"${gpu_hours(of, gpu, assumed) * gpu.price:,.0f}" for of in samples),
            )
            for gpu in assumed.gpus
        ],
        row(
            f"servers a month, ${assumed.server_price:.2f} an hour each",
            *(f"${number * assumed.server_price * 730:,.0f}" for number in servers),
        ),
        row(
            f"disk a month, ${assumed.disk_price:.2f} a GB",
            *(
                f"${count * (bytes_of['tables'] + bytes_of['vectors']) / 1e9 * assumed.disk_price:,.0f}"
                for count in counts
            ),
        ),
    ]
    assumptions = [
        row("citations in PubMed", f"{assumed.records:,}"),
        row("share of a GPU's bf16 peak that embedding reaches", f"{assumed.utilisation:.0%}"),
        *[row(f"peak of {gpu.name}, dense bf16 (data sheet)", f"{gpu.peak:g} TFLOP/s") for gpu in assumed.gpus],
        row(
            "operations for a token of e5-large (formula below)",
            f"{token_flop(samples[1].tokens, assumed) / 1e9:.3f} GFLOP",
        ),
        row("chunks of one Chroma server", f"{assumed.chunks_per_server:,}"),
        row("memory of a server over its vectors and graph", f"{assumed.memory_headroom:g} times"),
        row("prices", "as in the last table"),
    ]
    return "\n\n".join(
        [
            "### Measured: records", table(["", *names], measured),
            f"Two files of MEDLINE, and both together; {_link("capacity_rates")}.",
            "### Measured: rates", table(["", "figure", "results"], rest),
            "### Assumed", table(["", "figure"], assumptions),
            "### All of PubMed", table(["if all records were", *names], plan),
            "### Cost", table(["if all records were", *names], costs),
        ]
    )  # fmt: skip


def _link(name: str) -> str:
    return f"[{name}](../benchmarks/results/{name}.json)"


def generated() -> str:
    """The tables, of the results as they lie in the repository."""
    rates, speed = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("capacity_rates", "xml_speed"))
    return render(rates, speed, Assumptions())


def with_tables(page: str, tables: str) -> str:
    """The page with the tables between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{PAGE.name} lacks {BEGIN} or {END}: put the two lines back where the tables belong.")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main() -> None:
    """Writes the tables into the page."""
    PAGE.write_text(with_tables(PAGE.read_text(), generated()))
    print(PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE)


if __name__ == "__main__":
    main()
