"""What is typed into the form of a new job becomes a request, and back."""

import pytest

from cotbuild.builder.pages.job_forms import (
    FORMS,
    SETTINGS,
    FormField,
    fields_of,
    fill_form,
    merge_values,
    read_form,
)
from cotbuild.builder.pages.jobs_source import FormChoices
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.requests import parse_request
from tests.support.requests import REQUESTS


def test_every_kind_of_job_has_a_form() -> None:
    assert set(FORMS) == set(JobKind)


@pytest.mark.parametrize("kind", JobKind)
def test_the_fields_of_a_form_are_settings_of_its_request(kind: JobKind) -> None:
    fields = fields_of(kind)
    assert len({field.path for field in fields}) == len(fields)
    offered = {field.suggestions for field in fields if field.suggestions}
    assert all(hasattr(FormChoices(), name) for name in offered)


@pytest.mark.parametrize("kind", JobKind)
def test_a_request_that_was_typed_again_is_the_same(kind: JobKind) -> None:
    request = parse_request(REQUESTS[kind])
    typed = fill_form(kind, request.model_dump(mode="json"))
    assert parse_request(read_form(kind, typed)) == request


def test_what_is_typed_has_the_type_of_its_setting() -> None:
    typed = {
        "target": " mine ",
        "config.source.name": "bundled",
        "config.source.eval_splits": "dev, test,",
        "config.teacher.model": "scripted",
        "config.samples": "1,000",
        "config.sampling.temperature": "0.5",
        "config.mode": "",
        "budget.max_cost": "12",
    }
    assert read_form(JobKind.GENERATE, typed) == {
        "kind": "generate",
        "target": "mine",
        "config": {
            "source": {"name": "bundled", "eval_splits": ["dev", "test"]},
            "teacher": {"model": "scripted"},
            "samples": 1000,
            "sampling": {"temperature": 0.5},
        },
        "budget": {"max_cost": 12.0},
    }


def test_a_check_that_is_not_set_is_left_out() -> None:
    assert read_form(JobKind.PUBLISH, {"private": "1"}) == {
        "kind": "publish",
        "private": True,
    }


def test_settings_in_yaml_go_before_the_fields() -> None:
    typed = {
        "target": "mine",
        "config.seed": "1",
        SETTINGS: "config: {seed: 2, samples: 4}\nkind: study\n",
    }
    assert read_form(JobKind.GENERATE, typed) == {
        "kind": "generate",
        "target": "mine",
        "config": {"seed": 2, "samples": 4},
    }


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"config.samples": "many"}, "Samples per question is 'many'. Write a whole"),
        ({"config.samples": "1.5"}, "Samples per question is '1.5'"),
        ({"budget.max_cost": "1 EUR"}, "Maximum cost is '1 EUR'. Write a number"),
        ({SETTINGS: "- a"}, "More settings are"),
        ({SETTINGS: "a: [1"}, "More settings"),
        ({SETTINGS: "a" * 200_001}, "200,001 characters"),
    ],
)
def test_what_is_no_value_is_one_line(typed: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_form(JobKind.GENERATE, typed)
    assert "\n" not in str(caught.value)


def test_merging_changes_neither_side() -> None:
    before, after = {"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4}
    assert merge_values(before, after) == {"a": {"b": 3, "c": 2}, "d": 4}
    assert (before, after) == ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4})


def test_the_id_of_a_field_is_one_of_html() -> None:
    assert FormField("config.source.eval_splits", "Splits").id == (
        "config-source-eval-splits"
    )
