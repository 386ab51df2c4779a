"""A finished build: what `datasets` makes of it, what verify finds in a damaged one,
what the card can bear.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.card import (
    MODELS,
    code_span,
    dataset_features,
    dump_yaml,
    inline_text,
)
from cotbuild.builder.storage.arrow_schema import arrow_schema
from cotbuild.builder.storage.parquet import write_split
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import Question
from tests.schemas.test_records import question
from tests.support.commands import invoke, published, rows, write_questions

LOAD = """
import json, sys
from datasets import load_dataset
found = load_dataset(sys.argv[1], sys.argv[2])
print(json.dumps({split: [row[sys.argv[3]] for row in rows] for split, rows in found.items()}))
"""


def loaded(
    build_dir: Path, config_name: str, column: str, cache: Path
) -> dict[str, list[object]]:
    """A column as `datasets` gives it in a fresh process that shares a cache with the
    others.
    """
    environment = {**os.environ, "HF_DATASETS_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", LOAD, str(build_dir), config_name, column]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("module") / "demo"
    invoke("generate", "--teacher", "scripted", "--eval-splits", "test", "--out", out)
    return out


@pytest.fixture
def copy(build: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(build, tmp_path / "copy"))


def test_datasets_loads_the_folder_also_after_a_rebuild_and_beside_a_namesake(
    tmp_path: Path,
) -> None:
    """For a local folder the cache of `datasets` is keyed on the card alone: a rebuilt
    one must not yield old rows.
    """
    cache, here, there = (
        tmp_path / "cache",
        tmp_path / "x" / "demo",
        tmp_path / "y" / "demo",
    )
    words = ["generate", "--teacher", "scripted", "--eval-splits", "test", "--out"]
    invoke(*words, here, "--limit", 8)
    first = loaded(here, "rationales", "completion", cache)
    assert [len(values) for values in first.values()] == [8]
    assert first["train"] == [row["completion"] for row in rows(here)]
    invoke(*words, here, "--limit", 8, "--seed", 1)
    second = loaded(here, "rationales", "completion", cache)
    assert (
        second["train"] == [row["completion"] for row in rows(here)] != first["train"]
    )
    invoke(*words, there, "--limit", 8, "--seed", 2)
    assert loaded(there, "rationales", "completion", cache)["train"] == [
        row["completion"] for row in rows(there)
    ]
    assert loaded(here, "questions", "id", cache) == {
        "test": [row["id"] for row in rows(here, "questions")]
    }


@pytest.mark.parametrize("name", MODELS)
def test_the_cards_features_are_what_datasets_says_of_the_files(name: str) -> None:
    from datasets import Features

    schema = arrow_schema(MODELS[name])
    assert (
        dataset_features(schema) == Features.from_arrow_schema(schema)._to_yaml_list()
    )


def test_evaluation_questions_carry_targets_and_no_rationale(build: Path) -> None:
    found = rows(build, "questions")
    assert len(found) == 24
    assert all(row["target"] for row in found)
    assert "rationale" not in found[0]


def test_no_published_file_but_build_json_and_run_names_this_machine(
    build: Path,
) -> None:
    for name, data in published(build).items():
        assert str(build.parent).encode() not in data, name
        assert os.uname().nodename.encode() not in data, name


def test_verify_says_a_whole_build_is_whole(build: Path) -> None:
    checked, unchecked, whole = invoke("verify", build).stdout.splitlines()
    assert checked == f"{build}: 72 rationales: request keys and rows derived again"
    assert unchecked.startswith(f"{build}: cannot be confirmed from the build alone: ")
    assert whole.startswith(f"{build}: verified. 2 files, 96 rows, fingerprint ")


def test_a_card_worded_by_another_cotbuild_is_whole(copy: Path) -> None:
    path = copy / "README.md"
    path.write_text(
        path.read_text()
        .replace("Everything the teacher wrote", "All it wrote")
        .replace("- cotbuild\n", "")
    )
    assert "verified. 2 files" in invoke("verify", copy).stdout


def damage_bytes(build: Path) -> None:
    path = build / "rationales/train-00000-of-00001.parquet"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def drop_a_row(build: Path) -> None:
    path = build / "rationales/train-00000-of-00001.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)


def edit_manifest(change: str, value: object) -> object:
    def edit(build: Path) -> None:
        path = build / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest[change] = value
        path.write_text(json.dumps(manifest))

    return edit


def edit_card(build: Path) -> None:
    path = build / "README.md"
    path.write_text(path.read_text().replace("num_examples: 72", "num_examples: 71"))


def edit_digest(build: Path) -> None:
    path = build / "README.md"
    path.write_text(
        re.sub("; digest [0-9a-f]{4}", "; digest beef", path.read_text(), count=1)
    )


def remove(name: str) -> object:
    return lambda build: (build / name).unlink()


def stray(build: Path) -> None:
    (build / "rationales" / "train-00001-of-00002.parquet").write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_bytes, "rationales/train-00000-of-00001.parquet: sha256 is"),
        (drop_a_row, "rationales/train-00000-of-00001.parquet: size in bytes is"),
        (
            edit_manifest("format_version", 99),
            "format version 99, written by a newer cotbuild",
        ),
        (edit_manifest("num_planned", 71), "do not add up to num_planned 71"),
        (edit_manifest("fingerprint", "0"), "fingerprint is"),
        (edit_manifest("surprise", 1), "there is no field 'surprise'"),
        (
            edit_card,
            "README.md: front matter dataset_info[1].splits[0].num_examples is 71",
        ),
        (edit_digest, "README.md: front matter configs[0].description is 'beef"),
        (remove("manifest.json"), "no manifest.json, so this is not a finished build."),
        (
            remove("questions/test-00000-of-00001.parquet"),
            "missing; manifest.json says that it holds 24 rows",
        ),
        (remove("README.md"), "README.md: "),
        (remove("build.json"), "build.json: "),
        (stray, "train-00001-of-00002.parquet: not named in manifest.json"),
    ],
)
def test_verify_names_the_exact_fault(copy: Path, damage: object, message: str) -> None:
    damage(copy)  # type: ignore[operator]
    error = invoke("verify", copy, code=1).stderr
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def rewrite(build: Path, order: list[int]) -> None:
    """Put other rows into a build with all its checksums right, as a faulty writer
    would.
    """
    from cotbuild.builder.storage.parquet import config_digests, read_rows
    from cotbuild.schemas.fingerprint import digest
    from cotbuild.schemas.rationale import Rationale

    manifest = Manifest.parse(
        json.loads((build / "manifest.json").read_text()), "manifest"
    )
    (entry,) = [file for file in manifest.files if file.config_name == "rationales"]
    records = [Rationale.parse(row, "row") for row in read_rows(build / entry.path)]
    files = write_split(
        build, "rationales", "train", Rationale, (records[i] for i in order), len(order)
    )
    files = [
        *files,
        *(file for file in manifest.files if file.config_name != "rationales"),
    ]
    digests = config_digests(files)
    update = {
        "files": files,
        "digests": digests,
        "fingerprint": digest("build/1", digests),
    }
    (build / "manifest.json").write_text(
        manifest.model_copy(update=update).model_dump_json()
    )


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (
            [1, 0, *range(2, 72)],
            "row 1: row 0, sample 0 of the source is out of order or repeated.",
        ),
        (
            [0, 0, *range(2, 72)],
            "row 1: row 0, sample 0 of the source is out of order or repeated.",
        ),
        (list(range(71)), "num_planned is 71, but manifest.json says 72"),
    ],
)
def test_verify_sees_rows_repeated_reordered_or_lost_behind_right_checksums(
    copy: Path, order: list[int], message: str
) -> None:
    rewrite(copy, order)
    assert message in invoke("verify", copy, code=1).stderr


def test_a_split_with_more_or_fewer_rows_than_said_is_refused(tmp_path: Path) -> None:
    records = [question(id=str(i)) for i in range(7)]
    for said in (6, 8):
        with pytest.raises(
            DataError, match=f"Expected {said}: the source changed meanwhile"
        ):
            write_split(tmp_path, "questions", "train", Question, iter(records), said)


@given(st.text())
def test_values_cannot_break_out_of_the_card(value: str) -> None:
    for shown in (inline_text(value), code_span(value)):
        assert len(shown.splitlines()) <= 1
    assert "|" not in code_span(value)
    ticks = len(code_span(value)) - len(code_span(value).lstrip("`"))
    assert "`" * ticks not in code_span(value)[ticks:-ticks]


@given(st.text())
def test_front_matter_gives_values_back(value: str) -> None:
    assert yaml.safe_load(dump_yaml({"name": value})) == {"name": value}


def test_a_file_named_to_break_the_card_does_not(tmp_path: Path) -> None:
    source = write_questions(tmp_path / "a|b`c]---[x](y) <b>.jsonl", ["Which?"])
    out = tmp_path / "out"
    invoke("generate", "--teacher", "scripted", "--source", source, "--out", out)
    invoke("verify", out)
    title = (out / "README.md").read_text().split("---\n")[2].strip().splitlines()[0]
    assert title.startswith("# a\\|b\\`c\\]---\\[x\\]\\(y\\) \\<b\\>")
