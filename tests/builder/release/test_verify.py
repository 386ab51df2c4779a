"""cotbuild verify, of a build and of a release from the outside: each edit is one line
that says where.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotbuild.builder.build.directory import CARD, read_manifest
from cotbuild.builder.card import render_card
from cotbuild.builder.release.check import VerifyOptions, verify_folder
from cotbuild.builder.storage.parquet import RowsDigest, config_digests
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import Manifest
from tests.builder.release.conftest import REPO, Run
from tests.support.commands import invoke, write_questions

JSON = dict[str, Any]


def edit_row(folder: Path, path: str, change: Callable[[JSON], object]) -> None:
    """Change a row as somebody would who makes all digests fit: only what is derived
    tells.
    """
    place, manifest = folder / path, read_manifest(folder)
    assert manifest is not None
    table = pq.read_table(place)
    found, total = table.to_pylist(), RowsDigest()
    change(found[2])
    for row in found:
        total.add(row)
    pq.write_table(pa.Table.from_pylist(found, table.schema), place, compression="zstd")
    new = {
        "num_bytes": place.stat().st_size,
        "sha256": file_sha256(place),
        "digest": total.hexdigest(),
    }
    files = [e.model_copy(update=new if e.path == path else {}) for e in manifest.files]
    digests = config_digests(files)
    entry = manifest.variants
    assert entry is not None
    entry = entry.model_copy(update={"rationales": digests["rationales"]})
    changes = {
        "files": files,
        "digests": digests,
        "fingerprint": digest("build/1", digests),
        "variants": entry,
    }
    write_manifest(folder, manifest.model_copy(update=changes))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    (folder / CARD).write_text(render_card(manifest))


def edit_manifest(folder: Path, change: Callable[[JSON], object]) -> None:
    value = json.loads((folder / "manifest.json").read_text())
    change(value)
    (folder / "manifest.json").write_text(json.dumps(value))


def flip_a_byte(folder: Path) -> None:
    place = folder / RATIONALES
    data = bytearray(place.read_bytes())
    data[300] ^= 1
    place.write_bytes(data)


RATIONALES = "rationales/train-00000-of-00001.parquet"
VARIANT = "post_cot/train-00000-of-00001.parquet"


def manifest_with(change: Callable[[JSON], object]) -> Callable[[Path], object]:
    return lambda folder: edit_manifest(folder, change)


def row_with(path: str, change: Callable[[JSON], JSON]) -> Callable[[Path], object]:
    return lambda folder: edit_row(folder, path, lambda row: row.update(change(row)))


def one_more_correct(manifest: JSON) -> None:
    manifest["verdicts"]["correct"] += 1
    manifest["verdicts"]["incorrect"] -= 1


KEY = ": request_key of its "
EDITS: dict[str, tuple[Callable[[Path], object], str]] = {
    "bytes": (flip_a_byte, f"{RATIONALES}: sha256 is "),
    "rows": (
        manifest_with(lambda m: m["files"][0].update(num_rows=1)),
        ": number of rows is ",
    ),
    "verdicts": (manifest_with(one_more_correct), ": verdicts.correct is "),
    "completion": (
        row_with(RATIONALES, lambda _: {"completion": "Wood. (C)."}),
        "/rationales: question ",
    ),
    "rationale": (
        row_with(RATIONALES, lambda row: {"rationale": row["rationale"] + " So."}),
        ": rationale is '",
    ),
    "request_key": (row_with(RATIONALES, lambda _: {"request_key": "0" * 64}), KEY),
    "question": (row_with(RATIONALES, lambda _: {"question": "What sinks?"}), KEY),
    "template": (
        manifest_with(
            lambda m: m["templates"][0]["content"].update(system="Be wrong.")
        ),
        "manifest.json: template choice_few_shot@1: its content has fingerprint ",
    ),
    "sampling": (
        manifest_with(lambda m: m["sampling"].update(top_p=0.5)),
        "build.json: sampling.top_p is 1.0, but manifest.json says 0.5",
    ),
    "teacher": (
        manifest_with(lambda m: m.update(teacher="scripted:other")),
        ": teacher is 'scripted:",
    ),
    "variant": (
        row_with(VARIANT, lambda row: {"completion": row["completion"] + "!"}),
        "/post_cot: question ",
    ),
}


@pytest.mark.parametrize(("edit", "line"), EDITS.values(), ids=list(EDITS))
def test_an_edit_is_found_and_named_in_one_line(
    build: Path, edit: Callable[[Path], object], line: str
) -> None:
    edit(build)
    with pytest.raises(DataError) as fault:
        verify_folder(build, VerifyOptions())
    assert str(fault.value).startswith(str(build))
    assert line in str(fault.value)


def test_the_command_line_says_it_in_one_line(build: Path) -> None:
    EDITS["completion"][0](build)
    done = invoke("verify", build, code=1)
    assert done.stderr.startswith(f"error: {build}/rationales: question ")
    assert done.stderr.count("\n") == 1, done.stderr


def test_the_edits_of_this_test_are_what_is_found(build: Path) -> None:
    """Rows written back without a change verify: the faults above are those of the
    edits.
    """
    edit_row(build, RATIONALES, lambda row: row)
    edit_row(build, VARIANT, lambda row: row)
    edit_manifest(build, lambda manifest: manifest)
    _, lines = verify_folder(build, VerifyOptions(all_rows=True))
    assert "30 rationales: request keys and rows derived again" in lines


def test_a_release_is_checked_from_the_outside(
    at_hub: Run, hub: Any, build: Path, tmp_path: Path
) -> None:
    at_hub("publish", build, REPO, "--tag", "v1")
    said = at_hub("verify", f"{REPO}@v1", "--all").stdout
    assert f"{REPO}@v1: 30 rationales: request keys and rows derived again" in said
    # The whole of a release, edited so that all its digests fit, by somebody who may
    # push.
    folder = tmp_path / "edited"
    files = hub.store.read(f"datasets/{REPO}")
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    edit_row(
        folder, VARIANT, lambda row: row.update(completion=row["completion"] + "!")
    )
    hub.store.push(
        f"datasets/{REPO}", {path: (folder / path).read_bytes() for path in files}
    )
    refused = at_hub("verify", REPO, code=1).stderr.splitlines()[-1]
    assert refused.startswith("error: lab/x@")
    assert "/post_cot: question " in refused
    assert "verified." in at_hub("verify", f"{REPO}@v1").stdout
    assert (
        "error: lab/x: no revision 'v9'"
        in at_hub("verify", f"{REPO}@v9", code=1).stderr
    )


@pytest.mark.slow
def test_exemplars_drawn_from_a_split_are_checked_where_it_is_at_hand(
    tmp_path: Path,
) -> None:
    source = write_questions(
        tmp_path / "train.jsonl", (f"Which of these {n} floats?" for n in range(12))
    )
    worked = [
        {**json.loads(line), "rationale": "Wood floats."}
        for line in source.read_text().splitlines()
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in worked))
    build, folder = tmp_path / "build", tmp_path / "release"
    invoke(
        "generate",
        "--source",
        source,
        "--exemplars",
        "train:2",
        "--teacher",
        "scripted",
        "--out",
        build,
    )
    invoke("publish", build, f"file:{folder}")
    said = invoke("verify", f"file:{folder}").stdout
    assert "12 rationales: rows derived again" in said
    assert (
        "not checked: request keys, since the exemplars are from split 'train', which is not in the release"
        in said
    )
    assert (
        "request keys and rows derived again"
        in invoke("verify", f"file:{folder}", "--source", source).stdout
    )
    other = write_questions(tmp_path / "other.jsonl", ["Which?"])
    shutil.copy(other, tmp_path / "copy.jsonl")
    worked[3]["rationale"] = "Stone sinks."
    source.write_text(
        "".join(
            json.dumps({**row, "rationale": "Stone sinks."}) + "\n" for row in worked
        )
    )
    assert (
        ": request_key of its elicit step"
        in invoke("verify", f"file:{folder}", "--source", source, code=1).stderr
    )
