"""Files of somebody else with any change end in success or in one line.

`COTBUILD_FUZZ_EXAMPLES=2000 pytest tests/test_fuzz.py` tries more of each kind, as
`make fuzz` does.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.directory import read_config
from cotbuild.builder.card import parse_front_matter
from cotbuild.builder.cli.args import build_config
from cotbuild.builder.generate.run import resolve
from cotbuild.builder.imports.recipes import load_recipe
from cotbuild.builder.release.card_check import check_card
from cotbuild.builder.release.check import VerifyOptions, verify_folder
from cotbuild.builder.release.folder import FolderTarget
from cotbuild.builder.study.folder import (
    read_cells,
    read_question_accesses,
    read_registration,
    read_study,
)
from cotbuild.builder.teachers.identity import load_identity_cache
from cotbuild.builder.variants.compile import CompiledVariant
from cotbuild.builder.variants.registry import read_variants
from cotbuild.prompts.template import load_template
from cotbuild.schemas.errors import MAX_MESSAGE_CHARS, CotbuildError
from tests.support.commands import cotbuild
from tests.support.mutations import changed_bytes, changed_json, changed_yaml

ROOT = Path(__file__).parent.parent
STUDY = ROOT / "docs" / "studies" / "palm-csqa"
EXAMPLES = int(os.environ.get("COTBUILD_FUZZ_EXAMPLES", "20"))

fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
slow_fuzz = settings(fuzz, max_examples=max(4, EXAMPLES // 5))
"""For what derives rows again."""


def ends_well(read: Callable[[], object]) -> bool:
    """Return whether `read` succeeds; fails the test unless its error is one line."""
    try:
        read()
    except CotbuildError as error:
        line = str(error)
    else:
        return True
    assert line
    assert "\n" not in line
    assert len(line) <= MAX_MESSAGE_CHARS
    return False


# -- builds -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fuzz") / "b"
    cotbuild("generate", "--teacher", "scripted", "--eval-splits", "test", "--out", out)
    cotbuild("variants", out, "--only", "post_cot")
    return out


def read_build(folder: Path) -> None:
    build = StoredBuild.open(folder)
    for split in build.splits("rationales"):
        list(build.read("rationales", split))
    list(build.rationales())
    list(build.questions())
    for spec in build.specs:
        list(build.rows(spec.name))


def compare_card(folder: Path) -> None:
    list(check_card(StoredBuild.open(folder)))


def verify(folder: Path) -> None:
    verify_folder(folder, VerifyOptions())


Change = Callable[[bytes], st.SearchStrategy[bytes]]
READERS: list[tuple[str, Change, Callable[[Path], object]]] = [
    ("manifest.json", changed_json, read_build),
    ("build.json", changed_json, read_config),
    ("README.md", changed_bytes, compare_card),
]


def read_changed(
    build: Path,
    name: str,
    change: Change,
    read: Callable[[Path], object],
    data: st.DataObject,
) -> None:
    path = build / name
    content = path.read_bytes()
    try:
        path.write_bytes(data.draw(change(content)))
        ends_well(lambda: read(build))
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(("name", "change", "read"), READERS)
@fuzz
@given(data=st.data())
def test_a_changed_build_is_read(
    build: Path,
    name: str,
    change: Change,
    read: Callable[[Path], object],
    data: st.DataObject,
) -> None:
    assert ends_well(lambda: read(build))
    read_changed(build, name, change, read, data)


@pytest.mark.parametrize("name", ["manifest.json", "build.json"])
@slow_fuzz
@given(data=st.data())
def test_a_changed_build_is_verified(
    build: Path, name: str, data: st.DataObject
) -> None:
    read_changed(build, name, changed_json, verify, data)


# -- settings -----------------------------------------------------------------------------

CONFIG = b"""
source: {name: bundled, split: train, limit: 3, eval_splits: [test], columns: {question: q}}
teacher:
  model: scripted
  endpoints: [http://127.0.0.1:9/v1]
  max_num_requests: 4
  server: {max_num_seqs: 8, extra_args: [--seed, "3"]}
sampling: {temperature: 0.7, top_p: 0.9, max_tokens: 100, stop: ["\\n"]}
samples: 2
mode: elicit
seed: 7
title: mine
"""
VARIANTS = b"""
variants:
  - name: mine
    version: 1
    about: a test
    placement: pre_cot
    transforms:
      - {kind: mask_words, share: 0.5}
      - {kind: shuffle_sentences}
    filter: {verdicts: [correct]}
"""


def resolve_config(path: Path) -> None:
    resolve(build_config(path, {}), path.parent / "out")


def compile_all(path: Path) -> None:
    for spec in read_variants(path):
        CompiledVariant.compile(spec)


SETTINGS: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    "config": (CONFIG, resolve_config),
    "variants": (VARIANTS, compile_all),
    "template": (
        next((ROOT / "prompts" / "templates").glob("*choice*.yaml")).read_bytes(),
        lambda path: load_template(str(path)),
    ),
    "recipe": (
        next((ROOT / "builder" / "imports" / "recipes").glob("*.yaml")).read_bytes(),
        lambda path: load_recipe(str(path)),
    ),
    "study": ((STUDY / "STUDY.yaml").read_bytes(), read_study),
}


@pytest.mark.parametrize("kind", SETTINGS)
@fuzz
@given(data=st.data())
def test_changed_settings(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    content, read = SETTINGS[kind]
    path = tmp_path / f"{kind}.yaml"
    path.write_bytes(data.draw(changed_yaml(content)))
    ends_well(lambda: read(path))


# -- other files --------------------------------------------------------------------------

CELL = next((STUDY / "cells").glob("*.json"))
TEACHER = (
    b'{"format_version": 1, "hub": {"a/b@main": "c"}, "endpoints": {"d": "e"}, '
    b'"folders": {"f": "0"}}'
)
RELEASE = b'{"format_version": 1, "files": ["a/b.parquet"], "tags": {"v1": "00"}}'
PENDING = b'{"format_version": 1, "add": ["a/b.parquet"], "delete": ["README.md"]}'

FILES: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "cell": (f"cells/{CELL.name}", CELL.read_bytes(), read_cells),
    "registration": (
        "study.json",
        (STUDY / "study.json").read_bytes(),
        read_registration,
    ),
    "accesses": (
        "touches.jsonl",
        (STUDY / "touches.jsonl").read_bytes()[:2_000],
        read_question_accesses,
    ),
    "identities": ("teacher.json", TEACHER, load_identity_cache),
    "release": (
        ".release/release.json",
        RELEASE,
        lambda folder: FolderTarget(folder).read_state(),
    ),
    "pending": (
        ".release/pending.json",
        PENDING,
        lambda folder: FolderTarget(folder).read_state(),
    ),
}


@pytest.mark.parametrize("kind", FILES)
@fuzz
@given(data=st.data())
def test_a_changed_file(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    name, content, read = FILES[kind]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    change = changed_bytes if name.endswith(".jsonl") else changed_json
    path.write_bytes(data.draw(change(content)))
    ends_well(lambda: read(tmp_path))


@fuzz
@given(data=st.data())
def test_a_changed_card(build: Path, data: st.DataObject) -> None:
    content = (build / "README.md").read_bytes()
    text = data.draw(changed_bytes(content)).decode("utf-8", "surrogateescape")
    ends_well(lambda: parse_front_matter(text, "README.md"))
