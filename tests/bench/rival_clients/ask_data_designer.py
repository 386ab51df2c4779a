"""Ask with Data Designer: `ask_data_designer.py QUESTIONS WINDOW PORT FOLDER`; prints the
rows kept.
"""

import json
import logging
import os
import sys
from pathlib import Path

QUESTIONS, WINDOW, PORT, FOLDER = sys.argv[1:]
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "NEMO_TELEMETRY_ENABLED": "false",
    "DATA_DESIGNER_HOME": f"{FOLDER}-home",
}

import data_designer.config as dd  # noqa: E402
import pandas as pd  # noqa: E402
from data_designer.interface import DataDesigner  # noqa: E402

BUFFER_ROWS = 1_000
"""Rows a batch, its default: what is lost at most where it is killed."""


def main() -> None:
    logging.disable(logging.WARNING)
    rows = [json.loads(line) for line in Path(QUESTIONS).read_text().splitlines()]
    Path(FOLDER).mkdir(exist_ok=True)
    seed = Path(QUESTIONS).with_suffix(".parquet")
    if not seed.exists():
        pd.DataFrame(rows).to_parquet(seed)
    provider = dd.ModelProvider(
        name="mock",
        endpoint=f"http://127.0.0.1:{PORT}/v1",
        provider_type="openai",
        api_key="none",
    )
    designer = DataDesigner(artifact_path=FOLDER, model_providers=[provider])
    designer.set_run_config(dd.RunConfig(buffer_size=BUFFER_ROWS, display_tui=False))
    parameters = dd.ChatCompletionInferenceParams(
        max_tokens=512, temperature=0.7, max_parallel_requests=int(WINDOW)
    )
    model = dd.ModelConfig(
        alias="m",
        model="mock",
        provider="mock",
        skip_health_check=True,
        inference_parameters=parameters,
    )
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.with_seed_dataset(dd.LocalFileSeedSource(path=str(seed)))
    builder.add_column(
        dd.LLMTextColumnConfig(name="text", model_alias="m", prompt="{{ prompt }}")
    )
    made = designer.create(
        builder,
        num_records=len(rows),
        dataset_name="answers",
        resume=dd.ResumeMode.IF_POSSIBLE,
    )
    kept = made.load_dataset()
    print(json.dumps({"rows": int(kept["id"].nunique())}))


if __name__ == "__main__":
    main()
