"""Two builds compared by the questions that both have, and two variants of one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.compare_builds import (
    PairFilter,
    changed_cells,
    compare_builds,
    read_pairs,
)
from cotbuild.builder.view.compare_variants import compare_variants
from cotbuild.builder.view.database import Database
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.rationale import Verdict
from tests.support import small_builds
from tests.support.commands import invoke


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of six rationales, and one with other answers and another question."""
    folder = tmp_path_factory.mktemp("builds")
    small_builds.imported(folder)
    questions = [
        json.loads(line) for line in (folder / "garden.jsonl").read_text().splitlines()
    ]
    questions[5]["question"] = "Which of them can swim?"
    (folder / "other.jsonl").write_text(
        "".join(json.dumps(one) + "\n" for one in questions)
    )
    said = [
        {"id": one["id"], "said": f"Short for {one['id']}. The answer is A."}
        for one in questions
    ]
    (folder / "said2.jsonl").write_text("".join(json.dumps(one) + "\n" for one in said))
    invoke(
        *("import", folder / "said2.jsonl", "--map", "text=said", "--map", "id=id"),
        *("--made-by", "others", "--source", folder / "other.jsonl"),
        *("--out", folder / "second"),
    )
    return folder


@pytest.fixture(scope="module")
def database(root: Path) -> Iterator[Database]:
    with Database([root]) as opened:
        yield opened


@pytest.fixture(scope="module")
def builds(root: Path) -> tuple[StoredBuild, StoredBuild]:
    return StoredBuild.open(root / "imported"), StoredBuild.open(root / "second")


def test_verdicts_of_shared_questions_are_counted(
    database: Database, builds: tuple[StoredBuild, StoredBuild]
) -> None:
    found = compare_builds(database, *builds)
    assert found.count(Verdict.CORRECT, Verdict.CORRECT) == 3
    assert found.count(Verdict.CORRECT, Verdict.INCORRECT) == 1
    assert found.count(Verdict.INCORRECT, Verdict.CORRECT) == 1
    assert found.num_shared == 5
    assert (found.num_only_first, found.num_only_second) == (1, 1)
    assert changed_cells(found.cells) == 2
    assert "build.teacher" in [one.name for one in found.settings]


def test_pairs_whose_verdict_changed(
    database: Database, builds: tuple[StoredBuild, StoredBuild]
) -> None:
    page = read_pairs(database, *builds)
    assert [pair.first.question_id for pair in page.pairs] == ["q2", "q4"]
    first = page.pairs[0]
    assert first.difference.before == first.first.rationale
    assert first.difference.after == first.second.rationale
    assert page.next is None


def test_pairs_of_a_cell_in_pages(
    database: Database, builds: tuple[StoredBuild, StoredBuild]
) -> None:
    cell = PairFilter(Verdict.CORRECT, Verdict.CORRECT, changed=False)
    page = read_pairs(database, *builds, cell, limit=2)
    assert [pair.first.question_id for pair in page.pairs] == ["q1", "q3"]
    rest = read_pairs(database, *builds, cell, after=page.next, limit=2)
    assert [pair.first.question_id for pair in rest.pairs] == ["q5"]
    assert rest.next is None


def test_variants_row_by_row(
    database: Database, builds: tuple[StoredBuild, StoredBuild]
) -> None:
    build = builds[0]
    found = compare_variants(database, build, "post_cot", "post_cot_shuffled_words")
    assert found.num_rows == len(found.pairs) == 5
    assert found.next is None
    for pair in found.pairs:
        assert pair.second is not None
        assert pair.second.completion.before == pair.rationale.rationale
    page = compare_variants(database, build, "post_cot", "pre_cot", limit=2)
    assert page.next == 2
    rest = compare_variants(database, build, "post_cot", "pre_cot", start=2)
    ids = [one.rationale.question_id for one in (*page.pairs, *rest.pairs)]
    assert ids == ["q1", "q2", "q3", "q5", "q6"]


def test_only_rows_with_another_rationale(
    database: Database, builds: tuple[StoredBuild, StoredBuild]
) -> None:
    build = builds[0]
    same = compare_variants(database, build, "post_cot", "pre_cot", only_differing=True)
    assert (same.pairs, same.num_looked_at, same.next) == ((), 5, None)
    other = compare_variants(
        database, build, "post_cot", "post_cot_strip_target", only_differing=True
    )
    assert other.pairs
    assert all(not pair.is_same for pair in other.pairs)


def test_an_unknown_variant_is_refused(
    database: Database, builds: tuple[StoredBuild, StoredBuild]
) -> None:
    with pytest.raises(ConfigError, match="no variant 'none'"):
        compare_variants(database, builds[0], "post_cot", "none")
