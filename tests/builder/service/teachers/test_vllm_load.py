"""The load of a vLLM server, read from its /metrics."""

from cotbuild.builder.service.teachers.vllm_load import RATE_WINDOW_S, LoadMeter
from cotbuild.builder.teachers.http.wire import ServerLoad, parse_load

METRICS = b"""# HELP vllm:num_requests_running Number of requests.
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 1.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.25
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 100.0
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 25.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 1e3
vllm:generation_tokens_total{engine="0",model_name="m"} 40.0
vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e9
"""


def counts(generated_tokens: float) -> ServerLoad:
    return ServerLoad(generated_tokens, 1, 0, 0, 0, 10, 0.5)


def test_counts_of_all_engines_are_added_up() -> None:
    parsed = parse_load(METRICS)
    assert parsed == ServerLoad(40.0, 4.0, 2.0, 100.0, 25.0, 1000.0, 0.375)
    assert parsed is not None
    load = LoadMeter().record(parsed, 0.0)
    assert (load.running, load.waiting, load.prefix_hit_frac) == (4, 2, 0.25)
    assert load.tokens_per_s is None


def test_what_is_not_vllms_is_no_load() -> None:
    assert parse_load(b"") is None
    assert parse_load(b"go_goroutines 12\n") is None
    assert parse_load(b"vllm:generation_tokens_total 1e1e1\n") is None


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = LoadMeter()
    meter.record(counts(0), 0.0)
    assert meter.record(counts(100), 10.0).tokens_per_s == 10.0
    assert meter.record(counts(100), 10.0 + RATE_WINDOW_S).tokens_per_s == 0.0


def test_the_rate_begins_anew_after_a_restart() -> None:
    meter = LoadMeter()
    meter.record(counts(500), 0.0)
    assert meter.record(counts(10), 1.0).tokens_per_s is None
    assert meter.record(counts(30), 2.0).tokens_per_s == 20.0
