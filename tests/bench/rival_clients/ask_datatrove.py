"""Ask with datatrove: `ask_datatrove.py QUESTIONS WINDOW PORT FOLDER`; prints the rows kept."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.inference.run_inference import InferenceConfig, InferenceRunner
from datatrove.pipeline.writers.jsonl import JsonlWriter
from loguru import logger

QUESTIONS, WINDOW, PORT, FOLDER = sys.argv[1:]


def documents() -> Iterator[Document]:
    for line in Path(QUESTIONS).read_text().splitlines():
        row = json.loads(line)
        yield Document(text=row["prompt"], id=row["id"])


async def ask(document: Document, generate: Any) -> Any:
    turns = [{"role": "user", "content": document.text}]
    return await generate({"messages": turns, "max_tokens": 512, "temperature": 0.7})


if __name__ == "__main__":
    logger.remove()
    config = InferenceConfig(
        server_type="endpoint",
        model_name_or_path="mock",
        endpoint_url=f"http://127.0.0.1:{PORT}",
        use_chat=True,
        max_concurrent_generations=int(WINDOW),
        metric_interval=600,
    )
    writer = JsonlWriter(
        f"{FOLDER}/out",
        output_filename="${rank}_chunk_${chunk_index}.jsonl",
        compression=None,
    )
    runner = InferenceRunner(
        ask,
        config,
        output_writer=writer,
        checkpoints_local_dir=f"{FOLDER}/checkpoints",
        records_per_chunk=500,
        skip_bad_requests=True,
    )
    runner.run(documents())
    files = Path(FOLDER, "out").glob("*.jsonl")
    lines = (line for file in files for line in file.read_text().splitlines())
    kept = {json.loads(line)["id"] for line in lines}
    print(json.dumps({"rows": len(kept)}))
