"""`cotbuild study init`: how many questions are held out, and from where."""

import pytest

from cotbuild.builder.study.init import choose_questions
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.manifest import SourceEntry


def entry(num_questions: int, **splits: int) -> SourceEntry:
    return SourceEntry(
        dataset="q",
        split="train",
        checksums={},
        num_questions=num_questions,
        dropped={},
        eval_questions=splits,
        overlaps={},
    )


def held_out(count: int) -> dict[str, object]:
    return {"split": "train", "unseen": True, "count": count, "by": "id_digest"}


def test_a_large_training_split_gives_dev_and_test() -> None:
    found = choose_questions(entry(9741, validation=1221), "b", 1000, 6500)
    assert found.dev == held_out(500)
    assert found.test == held_out(3000)
    assert found.rows_left == int(6500 - 3500 * 6500 / 9741)


def test_no_more_is_held_out_than_training_can_spare() -> None:
    found = choose_questions(entry(2000), "b", 1000, 1500)
    count = found.dev["count"] + found.test["count"]
    assert 200 <= count <= 1000
    assert found.rows_left >= 1000


@pytest.mark.parametrize(
    ("splits", "dev", "test"),
    [
        ({"validation": 30, "test": 40}, {"split": "validation"}, {"split": "test"}),
        (
            {"validation": 24},
            {"split": "validation", "first": 12},
            {"split": "validation", "skip": 12},
        ),
    ],
)
def test_a_small_training_split_leaves_them_to_evaluation_splits(
    splits: dict[str, int], dev: dict[str, object], test: dict[str, object]
) -> None:
    found = choose_questions(entry(300, **splits), "b", 150, 200)
    assert (found.dev, found.test, found.rows_left) == (dev, test, 200)


def test_a_build_without_enough_questions_is_refused() -> None:
    with pytest.raises(ConfigError, match="b: no evaluation split"):
        choose_questions(entry(10), "b", 8, 8)
