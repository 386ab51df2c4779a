"""Ask with curator: `ask_curator.py QUESTIONS WINDOW PORT FOLDER`; prints the rows kept."""

import json
import os
import sys
from pathlib import Path
from typing import Any

QUESTIONS, WINDOW, PORT, FOLDER = sys.argv[1:]
os.environ |= {
    "TELEMETRY_ENABLED": "false",
    "CURATOR_VIEWER": "0",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "HF_HUB_OFFLINE": "1",
    "OPENAI_API_KEY": "none",
}
# curator counts tokens with a vocabulary that it downloads; litellm comes with it.
_PACKAGES = Path(
    sys.prefix, "lib", f"python3.{sys.version_info.minor}", "site-packages"
)
os.environ["TIKTOKEN_CACHE_DIR"] = str(
    _PACKAGES / "litellm" / "litellm_core_utils" / "tokenizers"
)

from bespokelabs import curator  # noqa: E402
from datasets import Dataset  # noqa: E402


class Ask(curator.LLM):  # type: ignore[misc]
    """One request a row."""

    def prompt(self, row: dict[str, Any]) -> str:
        return str(row["prompt"])

    def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
        return {"id": row["id"], "text": response}


if __name__ == "__main__":
    rows = [json.loads(line) for line in Path(QUESTIONS).read_text().splitlines()]
    ask = Ask(
        model_name="openai/mock",
        backend="openai",
        generation_params={"max_tokens": 512, "temperature": 0.7},
        backend_params={
            "base_url": f"http://127.0.0.1:{PORT}/v1",
            "api_key": "none",
            "max_concurrent_requests": int(WINDOW),
            "max_requests_per_minute": 10_000_000,
            "max_tokens_per_minute": 10_000_000_000,
            "max_retries": 3,
            "require_all_responses": False,
        },
    )
    kept = ask(Dataset.from_list(rows), working_dir=FOLDER).dataset
    print(json.dumps({"rows": len(kept)}))
