"""math-verify: what it finds equal, and inputs that it would not come back from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder import math_metric
from cotbuild.builder.math_metric import MathVerify, open_math_verify
from cotbuild.schemas.answers.compare import find_match
from cotbuild.schemas.errors import ConfigError
from tests.support.weathering import question


@pytest.fixture(scope="module")
def metric() -> Iterator[MathVerify]:
    math_verify = MathVerify(cpu_s=120)  # more than any machine takes
    yield math_verify
    math_verify.close()


def test_equal_expressions(metric: MathVerify) -> None:
    pairs = {
        ("2(x+1)", "2x+2"): "math_verify",
        (r"\{1, 3\}", r"\{3, 1\}"): "math_verify",
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"): "math_verify",
        ("2x + 2", "2x+2"): "text",
        ("2x + 3", "2x+2"): None,
        ("listen", "silent"): None,  # products of the same letters, to math-verify
        ("(1, 2)", "(2, 1)"): None,
    }
    found = {
        (answer, target): find_match(
            answer, question("text", target=target), math_metric=metric
        )
        for answer, target in pairs
    }
    assert found == pairs


def test_a_comparison_that_does_not_end_is_no_match() -> None:
    metric = MathVerify(cpu_s=1)
    assert not metric.agrees("9" * 900, "x" * 1001)
    # The child runs out of CPU time.
    assert not metric.agrees("9^{9^{9^{9}}}", "9^{9^{9^{8}}}")
    assert metric._child is None


def test_the_child_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-secret-of-the-user")
    metric = MathVerify()
    try:
        child = metric._open()
        environment = Path(f"/proc/{child.process.pid}/environ").read_bytes()
    finally:
        metric.close()
    assert b"a-secret-of-the-user" not in environment


def test_the_package_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(math_metric, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[math\]'"):
        open_math_verify()
