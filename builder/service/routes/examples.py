"""Example bodies of the OpenAPI."""

from typing import Any, Final

GENERATE: Final[dict[str, Any]] = {
    "kind": "generate",
    "target": "arithmetic",
    "config": {
        "source": {"name": "upload:" + "0" * 64 + "/questions.jsonl"},
        "teacher": {"model": "Qwen/Qwen3-8B"},
    },
    "budget": {"max_requests": 1000},
}
