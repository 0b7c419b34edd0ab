"""The capacity plan: its page is in step with its figures, and its arithmetic with a calculation by hand."""

import math

import pytest

from benchmarks.indexing.capacity_plan import (
    PAGE,
    Assumptions,
    Gpu,
    Rates,
    Sample,
    chunk_count,
    generated,
    gpu_hours,
    server_count,
    token_flop,
    with_tables,
    writing_seconds,
)

ASSUMED = Assumptions(records=1_000_000, utilisation=0.5, chunks_per_server=2_000_000)
HALF = Sample("half", share=0.5, chunks=5.0, tokens=100.0, compressed=1.0, content=1.0, splitting=1.0)


def test_the_page_is_in_step_with_the_results():
    page = PAGE.read_text()
    assert page == with_tables(page, generated()), "run: python -m benchmarks.indexing.capacity_plan"


def test_chunks_and_servers_by_hand():
    # 500,000 records with 5 chunks and 500,000 with one.
    assert chunk_count(HALF, ASSUMED) == 3_000_000
    assert server_count(HALF, ASSUMED) == 2


def test_operations_of_a_token_are_those_that_torch_counts():
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import BertConfig, BertModel

    tokens = 16
    config = BertConfig(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256, attn_implementation="eager"
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.ones(1, tokens, dtype=torch.long))
    assert counter.get_total_flops() == tokens * token_flop(tokens, Assumptions(layers=3, hidden=64))


def test_gpu_hours_by_hand():
    # e5-large: 24 layers of 12 * 1024**2 weights; 100 tokens of attention.
    token = 24 * (2 * 12 * 1024**2 + 4 * 100 * 1024)
    seconds = 3_000_000 * 100 * token / (100e12 * 0.5)
    assert gpu_hours(HALF, Gpu("any", 100, 1.0), ASSUMED) == pytest.approx(seconds / 3600)


def test_writing_grows_with_the_logarithm():
    database = [{"chunks": 20_000, "writing_cpu_s": 80.0}, {"chunks": 40_000, "writing_cpu_s": 180.0}]
    rates = Rates(reading=1.0, dimension=1024, tables=1.0, vectors=1.0, resident=1.0, database=database)
    assert writing_seconds(rates, math.e * 30_000) == pytest.approx(0.005)
    assert writing_seconds(rates, math.e * 30_000**2) == pytest.approx(0.010)
