"""The folder of a run is one that no other files are lost in."""

from pathlib import Path

import pytest

from cotbuild.schemas.errors import ConfigError
from cotbuild.student.training.run_dir import refuse_other_content


@pytest.mark.parametrize("name", ["model", "checkpoints"])
def test_a_model_of_the_user_is_not_replaced(tmp_path: Path, name: str) -> None:
    refuse_other_content(tmp_path / "new")
    refuse_other_content(tmp_path)
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=f"holds '{name}' and is no training run"):
        refuse_other_content(tmp_path)
