"""The folder of a run: what it may hold, and which run it resumes."""

from pathlib import Path

import pytest

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.training import Layout
from cotbuild.student.training.run_dir import check_same_run, refuse_other_content
from tests.support.runs import run_of


@pytest.mark.parametrize("name", ["model", "checkpoints"])
def test_a_model_of_the_user_is_not_replaced(tmp_path: Path, name: str) -> None:
    refuse_other_content(tmp_path / "new")
    refuse_other_content(tmp_path)
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=f"holds '{name}' and is no training run"):
        refuse_other_content(tmp_path)


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("config", {"compile_layers": True}, "config.compile_layers (True|False)"),
        ("layout", {"ending": "\n"}, "layout.ending '.*', now"),
        ("config", {"seed": 1}, "config.seed [01], now it is [01]"),
        ("data", {"fingerprint": "g"}, "data.fingerprint '[fg]', now"),
    ],
)
def test_a_run_is_resumed_by_the_same_one_alone(
    part: str, change: dict[str, object], said: str
) -> None:
    """Also where run.json leaves the default out: of the old run, or of the new one."""
    layout = Layout(order=("label", "rationale"), opening=" ", joints=("\n",))
    run = run_of("post_cot", layout)
    changed_part = getattr(run, part).model_copy(update=change)
    changed = run.model_copy(update={part: changed_part})
    check_same_run(Path("run"), changed, changed)
    for existing, new in ((run, changed), (changed, run)):
        with pytest.raises(ConfigError, match=f"^run: holds a run with {said}"):
            check_same_run(Path("run"), existing, new)


def test_what_is_measured_of_rows_does_not_decide() -> None:
    layout = Layout(order=("label",), opening=" ", joints=())
    run = run_of("label_only", layout)
    data = run.data.model_copy(update={"merged_label_ends": 3})
    check_same_run(Path("run"), run, run.model_copy(update={"data": data}))
