"""What vLLM's /metrics says about its work. Pure."""

import re
from dataclasses import dataclass

_LINE = re.compile(
    rb"^vllm:(generation_tokens_total|num_requests_running|num_requests_waiting)(?:\{[^}]*\})? (\S+)$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """Of all engines together, everybody's requests."""

    generated_tokens: float  # since the server started
    running: float
    waiting: float


def read_load(raw: bytes) -> ServerLoad | None:
    """None where these are not vLLM's metrics."""
    sums: dict[bytes, float] = {}
    for name, value in _LINE.findall(raw):
        sums[name] = sums.get(name, 0.0) + float(value)
    if b"generation_tokens_total" not in sums:
        return None
    queue = (
        sums.get(name, 0.0)
        for name in (b"num_requests_running", b"num_requests_waiting")
    )
    return ServerLoad(sums[b"generation_tokens_total"], *queue)
