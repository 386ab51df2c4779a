"""What the file of a cell holds: an untrained student of a study of version 2."""

from pathlib import Path

from cotbuild.builder.evaluation.models import ResolvedModel
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.builder.study.cell import finish_test
from cotbuild.builder.study.context import QuestionSplit, StudyContext, _question_set
from cotbuild.builder.study.folder import read_cell
from cotbuild.builder.study.plan import CellPlan, VariantRowsInfo
from cotbuild.builder.terminal import Terminal
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.prompts.student import layout_of
from cotbuild.schemas.study.declaration import CellKey
from cotbuild.schemas.study.parse import parse_study
from cotbuild.schemas.training import Loss
from tests.builder.study.test_evaluation_settings import version_2
from tests.student.evaluation.test_decode import choice_item
from tests.support.tiny import save_tiny

SPEC = builtin_variants()["label_only"]


def split_of(numbers: range) -> QuestionSplit:
    questions = [choice_item(number, "ABC"[number % 3]).question for number in numbers]
    return QuestionSplit(canonical_split("dev"), questions, _question_set(questions))


def test_a_cell_keeps_scores_a_temperature_and_free_answers_of_a_sample(
    tmp_path: Path,
) -> None:
    student = save_tiny(tmp_path / "student", "gpt2")
    fields = {
        "secondary_metrics": ["target_probability"],
        "free_answers": 4,
        "precision": {"evaluation": "bfloat16"},
    }
    key = CellKey(
        variant="label_only", student="student", rows=0, loss=Loss.PARTS, seed=0
    )
    plan = CellPlan(
        key=key,
        model=ResolvedModel(str(student), "local:tiny", None),
        config=None,
        rows=VariantRowsInfo(SPEC, layout_of(SPEC), "rationales", "rows"),
        fingerprint="0" * 64,
    )
    declared = parse_study(version_2(**fields), "STUDY.yaml")
    context = StudyContext(
        folder=tmp_path / "s",
        study=declared.model_copy(update={"secondary_metrics": ()}),
        registered=declared,
        build=None,  # type: ignore[arg-type] # an untrained student reads no build
        planner=None,  # type: ignore[arg-type]
        dev=split_of(range(9)),
        test=split_of(range(9, 21)),
        ui=Terminal(),
    )
    finish_test(context, plan)
    cell = read_cell(context.folder, key)
    assert cell is not None
    assert cell.dev is not None
    assert cell.test is not None
    assert cell.dev.temperature is None
    assert cell.test.temperature is not None
    assert cell.test.option_scores is not None
    options = cell.test.option_scores.unpack()
    assert [len(one) for one in options] == [3] * 12
    likeliest = "".join(
        str(max(range(3), key=lambda i: one[i].log_prob)) for one in options
    )
    assert likeliest == cell.test.answers.choice
    free = cell.test.answers.free
    assert free.count("-") == 8
    assert all(
        answered == "-"
        for answered, flag in zip(cell.test.answers.answered, free, strict=True)
        if flag == "-"
    )
    assert cell.test.figures.free is not None
    assert cell.test.figures.free.of == 4
    assert cell.test.evaluated.free_answers == 4
    assert cell.test.evaluated.precision.value == "bfloat16"
