"""What is known of the licence of a source that is no dataset on the Hub."""

import json
from pathlib import Path

import pytest

from cotbuild.builder.sources import open_source
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.builder.sources.provenance import hub_id, stated_licence
from cotbuild.schemas.config import SourceConfig

SVAMP = {
    "ID": "chal-1",
    "Body": "Ann has 2 plums.",
    "Question": "How many has she?",
    "Equation": "2",
    "Answer": 2.0,
}


@pytest.mark.parametrize(
    "name", [name for name, known in KNOWN_DATASETS.items() if known.hub_id]
)
def test_a_known_dataset_has_the_licence_and_hub_id_it_is_known_by(name: str) -> None:
    source = open_source(SourceConfig(name=name, split=KNOWN_DATASETS[name].splits[0]))
    assert (stated_licence(source), hub_id(source)) == (
        KNOWN_DATASETS[name].licence,
        KNOWN_DATASETS[name].hub_id,
    )


def test_the_bundled_questions_are_our_own() -> None:
    source = open_source(SourceConfig())
    assert (stated_licence(source), hub_id(source)) == ("Apache-2.0", None)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({**SVAMP, "Type": "Addition"}, "that of svamp, if it is a copy: MIT"),
        ({"question": "What is 1 + 1?", "answer": "2"}, None),
    ],
)
def test_a_file_of_a_known_shape_has_that_datasets_licence(
    row: dict[str, object], expected: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(row) + "\n")
    source = open_source(SourceConfig(name=str(path)))
    assert (stated_licence(source), hub_id(source)) == (expected, None)
