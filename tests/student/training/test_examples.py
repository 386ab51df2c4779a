"""The rows that a run trains on: their order, lengths, pairs and shares of processes."""

from pathlib import Path

import pytest
import torch

from cotbuild.prompts.student import question_digest
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.training import TrainConfig
from cotbuild.schemas.variant_rows import VariantRow
from cotbuild.student.training.batches import UpdateDataset
from cotbuild.student.training.examples import choose_rationales, make_examples
from tests.support.commands import rows
from tests.support.student_builds import VARIANTS, make_build, variant_rows
from tests.support.tiny import shared_student


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_build(tmp_path_factory.mktemp("examples"))


def test_every_variant_sees_the_same_rationales_in_the_same_order(build: Path) -> None:
    seen = set()
    tokenizer = shared_student("llama").tokenizer
    for variant in VARIANTS:
        config = TrainConfig(variant=variant, rows=9, batch_rows=4)
        examples = make_examples(variant_rows(build, variant), tokenizer, config, 512)
        updates = UpdateDataset(examples, config, 0)
        seen.add((tuple(examples.keys), str(updates._plan)))
        assert {len(inner) for inner in examples.rows} == {
            2 if variant == "two_tasks" else 1
        }
    assert len(seen) == 1


def test_the_shares_of_processes_add_up(build: Path) -> None:
    student = shared_student("llama")
    config = TrainConfig(variant="two_tasks", batch_rows=5, batch_tokens=300)
    examples = make_examples(
        variant_rows(build, "two_tasks"), student.tokenizer, config, 512
    )
    alone = UpdateDataset(examples, config, student.pad_id)
    shares = [
        UpdateDataset(examples, config, student.pad_id, process, 3)
        for process in range(3)
    ]
    for number in range(len(alone)):
        found = [share[number]["micro_batches"] for share in shares]
        assert len({len(batches) for batches in found}) == 1
        total = sum(
            batch["weights"].sum((0, 1)) for batches in found for batch in batches
        )
        assert isinstance(total, torch.Tensor)
        torch.testing.assert_close(total, torch.tensor([2.0, 1.0, 1.0]))


def test_a_row_too_long_is_left_out_with_its_pair_and_keeps_its_place(
    build: Path,
) -> None:
    tokenizer = shared_student("llama").tokenizer
    found, config = (
        variant_rows(build, "two_tasks"),
        TrainConfig(variant="two_tasks", batch_rows=4),
    )
    everything = make_examples(found, tokenizer, config, 512)
    longest = max(len(row.input_ids_T) for rows in everything.rows for row in rows)
    shorter = make_examples(found, tokenizer, config, longest - 1)
    assert shorter.keys == everything.keys
    assert {len(rows) for rows in shorter.rows} == {0, 2}
    assert shorter.info.too_long == 2 * sum(not rows for rows in shorter.rows)
    assert shorter.info.num_rows + shorter.info.too_long == everything.info.num_rows
    with pytest.raises(DataError, match="every row has more than 8 tokens"):
        make_examples(found, tokenizer, config, 8)
    with pytest.raises(DataError, match=r"'two_tasks': has no rows\. Derive it from"):
        make_examples(found._replace(rows=[]), tokenizer, config, 512)


def test_a_larger_number_of_rationales_includes_a_smaller_one(build: Path) -> None:
    def ids(number: int | None, variant: str) -> list[tuple[str, int]]:
        chosen: list[list[VariantRow]] = choose_rationales(
            variant_rows(build, variant).rows, number
        )
        return [(rows[0].question_id, rows[0].sample_index) for rows in chosen]

    assert ids(5, "post_cot") == ids(12, "post_cot")[:5] == ids(5, "two_tasks")
    assert sorted(ids(None, "label_only")) == sorted(
        {
            (str(row["question_id"]), int(str(row["sample_index"])))
            for row in rows(build, "label_only")
        }
    )


def test_question_digests_are_those_of_question_texts(build: Path) -> None:
    texts = {str(row["question_id"]): str(row["question"]) for row in rows(build)}
    for variant in VARIANTS:
        examples = make_examples(
            variant_rows(build, variant),
            shared_student("llama").tokenizer,
            TrainConfig(variant=variant, rows=3),
            512,
        )
        ids = {key.split(" ", 1)[1] for key in examples.keys}
        expected = sorted({question_digest(texts[question_id]) for question_id in ids})
        assert examples.info.question_digests == tuple(expected)


def test_lengths_of_label_and_rationale_are_measured_apart(build: Path) -> None:
    tokenizer = shared_student("llama").tokenizer
    lengths = {}
    for variant in ("label_only", "post_cot", "rationale_only", "two_tasks"):
        found, config = variant_rows(build, variant), TrainConfig(variant=variant)
        lengths[variant] = make_examples(found, tokenizer, config, 512).info
    label = lengths["label_only"].label_tokens
    assert label is not None
    assert 2 <= label.mean <= label.p99 <= label.max
    assert lengths["label_only"].rationale_tokens is None
    assert lengths["rationale_only"].label_tokens is None
    for variant in ("post_cot", "two_tasks"):
        assert lengths[variant].label_tokens == label
        rationale = lengths[variant].rationale_tokens
        assert rationale is not None
        assert rationale.mean > label.mean
    assert lengths["post_cot"].rationale_tokens_p99 == 0
    assert {info.multiline_labels for info in lengths.values()} == {False}
