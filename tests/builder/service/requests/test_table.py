"""Every field of a request has a rule, and one without a rule is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from cotbuild.builder.service.requests.fields import RequestContext, resolve_record
from cotbuild.builder.service.requests.rules import as_it_is
from cotbuild.builder.service.requests.table import RULES, resolve_request
from cotbuild.builder.service.requests.uploads import forget_upload
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.record import Record
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.requests import JobRequest, parse_request
from tests.support.requests import DIGEST, REQUESTS

NAMED = f"../../.service/named/{DIGEST}"


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    settings = ServiceSettings(tmp_path / "root")
    settings.files_folder.mkdir(parents=True)
    (settings.files_folder / DIGEST).write_text("content")
    listed = tmp_path / "listed"
    (listed / "models" / "small").mkdir(parents=True)
    (listed / "q.jsonl").write_text("{}\n")
    return replace(
        settings,
        allow_sources=(listed,),
        allow_endpoints=("http://gpu-*:8000",),
        allow_repos=("alice/*",),
        hub_tokens={"alice": "ALICE_HF_TOKEN"},
        secret_variables=("TEAM_KEY",),
    )


def _records_in(annotation: Any) -> Iterator[type[Record]]:
    """Yield every record class that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        yield annotation
    for part in get_args(annotation):
        yield from _records_in(part)


def _reachable() -> set[type[Record]]:
    waiting = list(_records_in(JobRequest))
    found: set[type[Record]] = set()
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            for annotation in get_type_hints(model).values():
                waiting += _records_in(annotation)
    return found


def test_the_table_lists_every_field_of_every_record() -> None:
    """A new field needs a decision: a rule in requests/table.py."""
    assert set(RULES) == _reachable()
    for model, rules in RULES.items():
        assert set(rules) == set(model.model_fields), model.__name__


class _Grown(Record):
    known: str = Field(default="")
    new: str = Field(default="off")


def test_a_field_without_a_rule_may_hold_its_default_alone(
    settings: ServiceSettings,
) -> None:
    context = RequestContext(settings, {_Grown: {"known": as_it_is}}, "alice")
    assert resolve_record(_Grown(known="x"), "r", context) == {
        "known": "x",
        "new": "off",
    }
    with pytest.raises(ConfigError, match=r"r\.new is 'on', which the service"):
        resolve_record(_Grown(new="on"), "r", context)


@pytest.mark.parametrize("kind", list(JobKind))
def test_a_request_of_every_kind_passes(
    kind: JobKind, settings: ServiceSettings
) -> None:
    request = parse_request(REQUESTS[kind])
    values = resolve_request(request, settings, "alice")
    assert values["kind"] == kind.value
    assert set(values) == set(type(request).model_fields)


def _generate(**changes: Any) -> JobRequest:
    value: dict[str, Any] = {"kind": "generate", "target": "mine"}
    config: dict[str, Any] = {"teacher": {"model": "scripted"}}
    for name, change in changes.items():
        section, _, field = name.partition("__")
        if field:
            config.setdefault(section, {})[field] = change
        else:
            config[section] = change
    return parse_request({**value, "config": config})


@pytest.mark.parametrize(
    ("place", "text", "path"),
    [
        ("source__name", f"upload:{DIGEST}/q ä.jsonl", f"{NAMED}/q ä.jsonl"),
        ("source__name", f"upload:{DIGEST}", f"{NAMED}/data"),
        ("source__name", "gsm8k", "gsm8k"),
        ("source__name", "bundled_tasks", "bundled_tasks"),
        ("source__name", "alice/questions", "alice/questions"),
        ("source__name", "folder:listed/q.jsonl", "{listed}/q.jsonl"),
        ("source__name", "folder:listed", "{listed}"),
        ("source__images", "folder:listed/models", "{listed}/models"),
        (
            "source__name",
            f"question=upload:{DIGEST}/q.txt,target=upload:{DIGEST}/a.txt",
            f"question={NAMED}/q.txt,target={NAMED}/a.txt",
        ),
        ("teacher__model", "embedded", "embedded"),
        ("teacher__model", "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct"),
        ("teacher__model", "folder:listed/models/small", "{listed}/models/small"),
        ("templates", (f"upload:{DIGEST}/t.yaml",), (f"{NAMED}/t.yaml",)),
        ("templates", ("choice_few_shot@1",), ("choice_few_shot@1",)),
    ],
)
def test_what_a_field_becomes(
    place: str, text: Any, path: Any, settings: ServiceSettings
) -> None:
    values = resolve_request(_generate(**{place: text}), settings, "alice")
    section, _, field = place.partition("__")
    found = values["config"][section]
    found = found[field] if field else tuple(found)
    listed = str(settings.allow_sources[0])
    expected = path.replace("{listed}", listed) if isinstance(path, str) else path
    assert found == expected
    for name in [found] if isinstance(found, str) else found:
        if name.startswith(NAMED):
            named = settings.root / name.removeprefix("../../")
            assert named.read_text() == "content"


@pytest.mark.parametrize(
    ("place", "value", "fault"),
    [
        ("source__name", "/etc/passwd", "reads no path"),
        ("source__name", "../other/rationales", "reads no path"),
        ("source__name", "data/train.jsonl", "reads no path"),
        ("source__name", "~/q.jsonl", "reads no path"),
        ("source__name", ".", "reads no path"),
        ("source__name", "question=/etc/passwd,target=/etc/group", "reads no path"),
        ("source__name", "file:///etc/passwd", "reads no path"),
        ("source__name", "upload:" + "0" * 64, "no file with SHA-256 0000000000000000"),
        ("source__name", "folder:other/q.jsonl", "is no folder that the server lists"),
        ("source__name", "folder:listed/none.jsonl", "does not exist"),
        ("source__name", "folder:listed/../q", "expected upload:SHA256/NAME"),
        ("source__images", "/srv", "reads no path"),
        ("source__images", f"upload:{DIGEST}/x", "a file"),
        ("source__fetch_images", True, "fetches no pictures"),
        ("source__revision", "../../x", "no branch, tag or commit"),
        ("teacher__model", "/models/x", "Name embedded, a Hub id"),
        ("teacher__model", "runs/a/model", "Name embedded, a Hub id"),
        ("teacher__model", "../run", "Name embedded, a Hub id"),
        ("teacher__model", f"upload:{DIGEST}/x", "Name embedded, a Hub id"),
        ("teacher__endpoints", ("http://evil.example/v1",), "does not contact"),
        ("teacher__server", {"extra_args": ["--trust-remote-code"]}, "does not take"),
        ("teacher__server", {"dtype": "auto --x"}, "Expected letters"),
        ("templates", ("/etc/passwd",), "reads no path"),
        ("templates", ("t.yaml",), "reads no path"),
        ("templates", ("../t.yml",), "reads no path"),
    ],
)
def test_what_a_field_may_not_hold(
    place: str, value: Any, fault: str, settings: ServiceSettings
) -> None:
    changes: dict[str, Any] = {place: value}
    if place == "teacher__endpoints":
        changes["teacher__model"] = "m"
    with pytest.raises(ConfigError) as error:
        resolve_request(_generate(**changes), settings, "alice")
    line = str(error.value)
    assert fault in line
    assert "\n" not in line
    assert line.startswith("config." + place.partition("__")[0])


def test_an_endpoint_may_serve_a_model_by_any_name(settings: ServiceSettings) -> None:
    request = _generate(
        teacher__model="/models/qwen", teacher__endpoints=("http://gpu-1:8000/v1",)
    )
    values = resolve_request(request, settings, "alice")
    assert values["config"]["teacher"]["model"] == "/models/qwen"


def test_publishing_needs_a_listed_repo_and_a_token_of_the_owner(
    settings: ServiceSettings,
) -> None:
    request = parse_request(REQUESTS[JobKind.PUBLISH])
    assert resolve_request(request, settings, "alice")["repo"] == "alice/mine"
    with pytest.raises(ConfigError, match=r"of 'bob'.*add bob --hub-token-env"):
        resolve_request(request, settings, "bob")
    for repo in ("bob/mine", "alicia/mine"):
        other = parse_request({**REQUESTS[JobKind.PUBLISH], "repo": repo})
        with pytest.raises(ConfigError, match="does not publish to"):
            resolve_request(other, settings, "alice")


def test_a_secret_is_named_and_listed(settings: ServiceSettings) -> None:
    value = REQUESTS[JobKind.GENERATE]
    listed = parse_request({**value, "api_key_from": "TEAM_KEY"})
    assert resolve_request(listed, settings, "alice")["api_key_from"] == "TEAM_KEY"
    other = parse_request({**value, "api_key_from": "HOME"})
    with pytest.raises(ConfigError, match="no variable that requests may use"):
        resolve_request(other, settings, "alice")


def test_what_a_starting_job_reads_must_exist(settings: ServiceSettings) -> None:
    request = parse_request(REQUESTS[JobKind.TRAIN])
    assert resolve_request(request, settings, "alice")["build"] == "../../mine"
    with pytest.raises(ConfigError, match="there is no 'mine' on the server"):
        resolve_request(request, settings, "alice", is_starting=True)
    elsewhere = settings.root.parent / "elsewhere"
    elsewhere.mkdir()
    (settings.root / "mine").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="not a directory but a link"):
        resolve_request(request, settings, "alice", is_starting=True)


def test_a_link_in_a_listed_folder_leads_nowhere(settings: ServiceSettings) -> None:
    (settings.allow_sources[0] / "out.jsonl").symlink_to("/etc/passwd")
    request = _generate(source__name="folder:listed/out.jsonl")
    with pytest.raises(ConfigError, match="not a regular file but a link"):
        resolve_request(request, settings, "alice")


def test_two_listed_folders_of_one_name_are_refused(settings: ServiceSettings) -> None:
    double = replace(settings, allow_sources=(Path("/a/data"), Path("/b/data")))
    with pytest.raises(ConfigError, match="has the same name 'data'"):
        resolve_request(_generate(source__name="folder:data"), double, "alice")


def test_a_name_of_an_upload_outlives_it_until_it_is_forgotten(
    settings: ServiceSettings,
) -> None:
    request = _generate(source__name=f"upload:{DIGEST}/q.jsonl")
    resolve_request(request, settings, "alice")
    (settings.files_folder / DIGEST).unlink()
    resolve_request(request, settings, "alice")
    forget_upload(DIGEST, settings)
    forget_upload(DIGEST, settings)
    with pytest.raises(ConfigError, match="was uploaded"):
        resolve_request(request, settings, "alice")


@given(name=st.text(min_size=1, max_size=40))
def test_no_text_of_a_source_becomes_another_path(name: str) -> None:
    """Whatever passes is a name, or a path that the service made itself."""
    settings = ServiceSettings(Path("/nowhere/root"))
    try:
        values = resolve_request(_generate(source__name=name), settings, "alice")
    except ConfigError:
        return
    found = values["config"]["source"]["name"]
    assert found == name
    assert ".." not in found.split("/")
    assert not found.startswith(("/", ".", "~"))
