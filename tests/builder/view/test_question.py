"""One question of a build with its samples and every variant's rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.faults import NotFoundError
from cotbuild.builder.view.question import QuestionView, read_question
from cotbuild.builder.view.question_rows import read_question_rows
from cotbuild.builder.view.tables import open_table
from cotbuild.schemas.errors import ConfigError
from tests.support import small_builds
from tests.support.commands import invoke, write_questions

BUILDS = Path(__file__).parents[2] / "golden" / "builds"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> StoredBuild:
    """Imported rationales with the paper's variants, in a folder of an odd name."""
    folder = tmp_path_factory.mktemp("a [b]*")
    return StoredBuild.open(small_builds.imported(folder))


@pytest.fixture(scope="module")
def database(build: StoredBuild) -> Iterator[Database]:
    with Database([build.folder, BUILDS]) as opened:
        yield opened


def test_a_question_has_its_samples_and_all_variants(
    build: StoredBuild, database: Database
) -> None:
    view = read_question(database, build, "q2")
    assert view.question.text == "What does a kite need?"
    assert [one.row.sample_index for one in view.samples] == [0]
    assert [one.name for one in view.variants] == [spec.name for spec in build.specs]
    by_name = {one.name: one for one in view.variants}
    [shuffled] = by_name["post_cot_shuffled_words"].rows
    assert shuffled.differs
    assert shuffled.completion.how == "derived"
    assert shuffled.completion.before == view.samples[0].row.rationale
    [plain] = by_name["post_cot"].rows
    assert not plain.differs
    [label] = by_name["label_only_all"].rows
    assert label.same_as == "label_only"
    assert not by_name["label_only"].rows[0].differs


def test_variants_are_those_that_were_asked_for(
    build: StoredBuild, database: Database
) -> None:
    view = read_question(database, build, "q1", variants=["pre_cot"])
    assert [one.name for one in view.variants] == ["pre_cot"]
    assert len(view.all_variants) == len(build.specs)
    with pytest.raises(ConfigError, match="no variant 'none'"):
        read_question(database, build, "q1", variants=["none"])


def test_an_unknown_question_is_not_found(
    build: StoredBuild, database: Database
) -> None:
    for unknown in ("q9", "", "' OR 1=1 --", "q\0"):
        with pytest.raises(NotFoundError, match="no question"):
            read_question(database, build, unknown)


@pytest.mark.parametrize("near", [-5, 0, 1, 3, 10**12])
def test_a_position_is_only_a_hint(
    build: StoredBuild, database: Database, near: int
) -> None:
    table = open_table(build)
    expected = read_question_rows(database, table, ["q3"])
    assert [one.position for one in expected] == [2]
    assert read_question_rows(database, table, ["q3"], near) == expected


@pytest.mark.parametrize("version", [1, 3])
def test_builds_of_older_versions_are_read(database: Database, version: int) -> None:
    build = StoredBuild.open(BUILDS / f"row_version_{version}")
    for rationale in build.rationales():
        view = read_question(database, build, rationale.question_id)
        assert rationale in [sample.row for sample in view.samples]


def test_it_is_plain_data(build: StoredBuild, database: Database) -> None:
    view = read_question(database, build, "q4", variants=["post_cot"])
    value = TypeAdapter(QuestionView).dump_python(view, mode="json")
    assert value["question"]["id"] == "q4"
    assert value["samples"][0]["row"]["verdict"] == "incorrect"


def test_samples_messages_and_evaluation_questions(tmp_path: Path) -> None:
    write_questions(tmp_path / "train.jsonl", ["Which of these floats?"] * 2)
    write_questions(tmp_path / "test.jsonl", ["Which of these sinks?"])
    invoke(
        *("generate", "--source", tmp_path, "--teacher", "scripted", "--samples", 3),
        *("--eval-splits", "test", "--out", tmp_path / "b"),
    )
    invoke(
        *(
            "variants",
            tmp_path / "b",
            "--only",
            "chat_post_cot,two_tasks,given_rationale",
        ),
        *("--filter", "verdicts=correct,incorrect"),
    )
    build = StoredBuild.open(tmp_path / "b")
    first = next(build.rationales())
    evaluation = next(build.questions())
    with Database([tmp_path]) as database:
        view = read_question(database, build, first.question_id)
        assert [one.row.sample_index for one in view.samples] == [0, 1, 2]
        chat, tasks, given = view.variants
        assert given.rows[0].same_as is None
        assert given.rows[0].given is not None
        assert [row.task for row in tasks.rows][:2] == ["predict", "explain"]
        assert not isinstance(chat.rows[0].prompt, str)
        other = read_question(database, build, evaluation.id)
    assert other.question == evaluation
    assert (other.split, other.samples, other.position) == ("test", (), None)
