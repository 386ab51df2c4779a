"""placeholder until merged"""

from pathlib import Path


def write_report(folder: Path, record: object, results: object, study: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(results.model_dump_json(indent=2))  # type: ignore
    return folder / "index.html"
