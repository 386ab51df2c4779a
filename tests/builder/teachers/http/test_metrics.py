"""vLLM's metrics, as vllm 0.32 writes them."""

import pytest

from cotbuild.builder.teachers.http.metrics import ServerLoad, read_load

LABELS = b'{engine="0",model_name="m"}'
WHOLE = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 2.0
vllm:generation_tokens_total{engine="0",model_name="m"} 1.5e+03
vllm:generation_tokens_created{engine="0",model_name="m"} 1.8e+09
"""


@pytest.mark.parametrize(
    ("raw", "load"),
    [
        (WHOLE, ServerLoad(1500, 3, 2)),
        (WHOLE + WHOLE.replace(b'engine="0"', b'engine="1"'), ServerLoad(3000, 6, 4)),
        (b"vllm:generation_tokens_total 7\n", ServerLoad(7, 0, 0)),
        (b"", None),
        (b"<html>a dashboard</html>", None),
        (b"sglang:num_running_reqs 3.0\n", None),
    ],
)
def test_read_load(raw: bytes, load: ServerLoad | None) -> None:
    assert read_load(raw) == load
