"""Whole cards, as they stood when a person last read them.

After a deliberate change: python -m tests.builder.card.test_golden_cards, and read what
changed in tests/golden/cards.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.directory import CARD, MANIFEST
from cotbuild.builder.card import (
    ReleaseFacts,
    build_front_matter,
    combine_licences,
    parse_front_matter,
    render_card,
)
from cotbuild.schemas.manifest import FailureGroup, Manifest
from tests.support.commands import PROGRAM, invoke
from tests.support.small_builds import generated, imported, released

GOLDEN = Path(__file__).parents[2] / "golden" / "cards"
EVIL = "a|b `c`\n---\n# d <script>e</script> ![f](g) $h$ \0\u2028\u202e ``` </details> } @k{\\"


def hostile(build: Path) -> tuple[Manifest, ReleaseFacts]:
    """A release in which every free text is out to break the page."""
    manifest, release = released(
        build, repo=EVIL, tag=EVIL, partial=EVIL, published=EVIL
    )
    entry, variants = manifest.imported, manifest.variants
    assert entry is not None
    assert variants is not None
    specs = tuple(
        spec.model_copy(update={"about": EVIL}) for spec in variants.made.specs
    )
    changes: dict[str, object] = {
        "title": EVIL,
        "cotbuild": EVIL,
        "teacher": EVIL,
        "imported": entry.model_copy(
            update={"made_by": EVIL, "licence": EVIL, "url": EVIL, "recipe": EVIL}
        ),
        "source": manifest.source.model_copy(
            update={"dataset": EVIL, "split": EVIL, "licence": EVIL, "hub_id": EVIL}
        ),
        "answer_rules": {EVIL: {"correct": 1}},
        "verdicts_by_target": {EVIL: {"correct": 1}},
        "failures": {EVIL: 2},
        "failure_messages": (FailureGroup(kind=EVIL, message=EVIL, count=2),),
        "variants": variants.model_copy(
            update={"made": variants.made.model_copy(update={"specs": specs})}
        ),
    }
    row = {"question": EVIL, EVIL: "x" * 1_000_000, "choices": [EVIL] * 100}
    parts = {"the questions": EVIL, "the rationales": "MIT"}
    update = {
        "examples": {"rationales": row},
        "licence": combine_licences(parts),
        "rebuild": EVIL,
    }
    return manifest.model_copy(update=changes), ReleaseFacts(
        **{**vars(release), **update}
    )


def cases(
    generated_build: Path, imported_build: Path
) -> dict[str, tuple[Manifest, ReleaseFacts]]:
    return {
        "generated": released(generated_build),
        "imported": released(imported_build, partial="verify was not run"),
        "hostile": hostile(imported_build),
    }


@pytest.fixture(scope="module")
def found(
    generated_build: Path, imported_build: Path
) -> dict[str, tuple[Manifest, ReleaseFacts]]:
    return cases(generated_build, imported_build)


@pytest.mark.parametrize("name", ["generated", "imported", "hostile"])
def test_cards_are_as_they_were_read(
    found: dict[str, tuple[Manifest, ReleaseFacts]], name: str
) -> None:
    assert render_card(*found[name]) == (GOLDEN / f"{name}.md").read_text(
        encoding="utf-8"
    )


def outline(text: str) -> list[tuple[str, str]]:
    """Headings and the number of cells of every table, and every block of HTML, in
    order.
    """
    tokens = MarkdownIt("commonmark").enable("table").parse(text.split("\n---\n", 1)[1])
    kept = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and token.tag != "h1":
            assert after is not None
            kept.append((token.tag, after.content))
        elif token.type in ("th_open", "td_open", "fence", "html_block"):
            kept.append(
                (token.type, token.content if token.type == "html_block" else "")
            )
    return kept


def test_hostile_values_change_neither_headings_nor_tables(
    found: dict[str, tuple[Manifest, ReleaseFacts]],
) -> None:
    tame, wild = (
        outline(render_card(*found["imported"])),
        outline(render_card(*found["hostile"])),
    )
    headings = [entry for entry in tame if entry[0].startswith("h")]
    assert [
        entry for entry in wild if entry[0].startswith("h") and entry[0] != "html_block"
    ] == [entry for entry in headings if entry[0] != "html_block"]
    assert {text for kind, text in wild if kind == "html_block"} <= {
        text for kind, text in tame if kind == "html_block"
    }


@pytest.mark.parametrize("name", ["generated", "imported", "hostile"])
def test_no_value_becomes_a_link_an_image_or_raw_html(
    found: dict[str, tuple[Manifest, ReleaseFacts]], name: str
) -> None:
    tokens = (
        MarkdownIt("commonmark")
        .enable("table")
        .parse(render_card(*found[name]).split("\n---\n", 1)[1])
    )
    children = [child for token in tokens for child in token.children or []]
    assert {child.attrs["src"] for child in children if child.type == "image"} <= {
        f"pictures/{picture}.png" for picture in ("verdicts", "lengths", "variants")
    }
    assert not {child.type for child in children} & {"link_open", "html_inline"}


@pytest.mark.parametrize("name", ["generated", "imported", "hostile"])
def test_the_hubs_own_reader_finds_the_front_matter(
    found: dict[str, tuple[Manifest, ReleaseFacts]], name: str
) -> None:
    manifest, release = found[name]
    text = render_card(manifest, release)
    expected = build_front_matter(manifest, release)
    assert parse_front_matter(text, name) == expected
    data = DatasetCard(text).data.to_dict()  # type: ignore[no-untyped-call]
    assert {key: data[key] for key in expected} == expected


def test_what_a_release_adds_changes_nothing_that_the_manifest_says(
    imported_build: Path,
) -> None:
    manifest, release = released(imported_build)
    both, local = build_front_matter(manifest, release), build_front_matter(manifest)
    assert {key: both[key] for key in local} == local
    assert both.keys() - local.keys() == {"license", "language"}


def test_verify_takes_a_releases_card(imported_build: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(imported_build, tmp_path / "copy")
    _, release = released(copy)
    (copy / CARD).write_text(
        render_card(StoredBuild.open(copy).manifest, release), encoding="utf-8"
    )
    invoke("verify", copy)


def test_a_card_names_no_place_of_this_machine(
    imported_build: Path, generated_build: Path
) -> None:
    for build in (imported_build, generated_build):
        text = render_card(*released(build))
        assert str(build.parent) not in text
        assert os.uname().nodename not in text
        assert (build / MANIFEST).exists()


@pytest.mark.parametrize("make", [generated, imported])
def test_the_commands_shown_make_the_same_build(
    make: Callable[[Path], Path],
    generated_build: Path,
    imported_build: Path,
    tmp_path: Path,
) -> None:
    build = generated_build if make is generated else imported_build
    manifest, release = released(build)
    for name in ("garden.jsonl", "said.jsonl"):
        if (build.parent / name).exists():
            shutil.copy(build.parent / name, tmp_path / name)
    shutil.copy(build / "build.json", tmp_path)
    commands = [
        shlex.split(line)
        for line in release.rebuild.splitlines()
        if not line.startswith("#")
    ]
    for words in commands:
        done = subprocess.run(
            [*PROGRAM, *words[1:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
    assert StoredBuild.open(tmp_path / "rebuilt").manifest.digests == manifest.digests


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, (manifest, release) in cases(
            generated(Path(folder)), imported(Path(folder))
        ).items():
            (GOLDEN / f"{name}.md").write_text(
                render_card(manifest, release), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
