"""Ask with distilabel: `ask_distilabel.py QUESTIONS WINDOW PORT FOLDER`; prints the rows
kept.
"""

import json
import os
import sys
from pathlib import Path

QUESTIONS, WINDOW, PORT, FOLDER = sys.argv[1:]
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

from distilabel.models.llms import OpenAILLM  # noqa: E402
from distilabel.pipeline import Pipeline  # noqa: E402
from distilabel.steps import LoadDataFromDicts  # noqa: E402
from distilabel.steps.tasks import TextGeneration  # noqa: E402


def main() -> None:
    lines = Path(QUESTIONS).read_text().splitlines()
    found = [json.loads(line) for line in lines]
    rows = [{"id": row["id"], "instruction": row["prompt"]} for row in found]
    batch_size = int(WINDOW)
    with Pipeline(name="answers", cache_dir=FOLDER) as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=batch_size)
        llm = OpenAILLM(
            model="mock",
            base_url=f"http://127.0.0.1:{PORT}/v1",
            api_key="none",
            max_retries=3,
            generation_kwargs={"max_new_tokens": 512, "temperature": 0.7},
        )
        load >> TextGeneration(name="ask", llm=llm, input_batch_size=batch_size)
    kept = pipeline.run(use_cache=True)["default"]["train"]
    texts = (row["generation"] for row in kept)
    print(json.dumps({"rows": sum(text is not None for text in texts)}))


if __name__ == "__main__":
    main()
