"""The rules of a plan, as a worker reads them: the same requests."""

from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.generate.code_digest import DERIVING, NOT_DERIVING
from cotbuild.builder.generate.follow import start_chain
from cotbuild.builder.generate.teacher_job import resolve_teacher_job
from cotbuild.builder.generate.workers.rules import ASKING, load_rules
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import StoreError
from tests.builder.generate.test_code_digest import imported_modules, is_within
from tests.support.plans import plan_build

SETTINGS: list[dict[str, Any]] = [
    {},
    {"mode": "rationalize", "system": "Be brief."},
    {"decode": "choice", "mode": "elicit-then-rationalize"},
    {"decode": "json"},
]


@pytest.mark.parametrize(
    "settings", SETTINGS, ids=["plain", "target", "choice", "json"]
)
def test_a_worker_makes_the_requests_of_the_planner(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    values = {"teacher": {"model": "scripted"}} | settings
    config = BuildConfig.parse(values, "test")
    plan = plan_build(config, tmp_path)
    assert plan is not None
    job = resolve_teacher_job(config, tmp_path)
    rules, read = job.read_rules(), load_rules(plan, "plan.json")
    for question in job.source.read(job.source.split):
        step, same = (start_chain(each, question, 0).next for each in (rules, read))
        assert step == same


def test_a_damaged_template_is_one_line(tmp_path: Path) -> None:
    config = BuildConfig.parse({"teacher": {"model": "scripted"}}, "test")
    plan = plan_build(config, tmp_path)
    assert plan is not None
    entry = plan.templates[0].model_copy(update={"content": {"name": 1}})
    damaged = plan.model_copy(update={"templates": (entry,)})
    with pytest.raises(StoreError, match=r"^plan\.json: template for elicit, "):
        load_rules(damaged, "plan.json")


def test_the_digest_of_asking_covers_all_that_requests_depend_on() -> None:
    """What the modules listed import is listed too, or decides no request."""
    decides_nothing = (
        *NOT_DERIVING,
        "cotbuild.builder.generate.attempts",
        "cotbuild.builder.sources",
        "cotbuild.prompts.versioned",
    )
    seen: set[str] = set()
    to_read = [name for name in ASKING if name != "cotbuild.schemas"]
    while to_read:
        module = to_read.pop()
        seen.add(module)
        for name in imported_modules(module) - seen:
            if any(listed.startswith(f"{name}.") for listed in ASKING):
                continue  # a package on the way
            if is_within(name, ASKING) and not name.startswith("cotbuild.schemas"):
                to_read.append(name)
            else:
                assert is_within(name, (*ASKING, *decides_nothing)), (module, name)
    assert all(is_within(name, DERIVING) for name in ASKING)
