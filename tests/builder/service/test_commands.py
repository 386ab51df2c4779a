"""From a request to the command of its job."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.service.commands import ChildCommand, build_command, command_for
from cotbuild.builder.service.requests.arguments import write_yaml
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.study.folder import read_study
from cotbuild.builder.variants.registry import choose_variants, parse_selection
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import read_yaml
from cotbuild.schemas.service.job import JobKind, JobRecord
from cotbuild.schemas.service.requests import (
    GenerateRequest,
    StudyRequest,
    VariantsRequest,
    parse_request,
    request_digest,
)
from cotbuild.schemas.variant import VariantSpec
from tests.support.requests import DIGEST, REQUESTS

JOB = "0123456789abcdef"
NAMED = f"../../.service/named/{DIGEST}"
FOLDER = f"../../.service/jobs/{JOB}"


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    settings = ServiceSettings(
        tmp_path,
        allow_repos=("alice/*",),
        hub_tokens={"alice": "ALICE_HF_TOKEN"},
    )
    settings.files_folder.mkdir(parents=True)
    (settings.files_folder / DIGEST).write_text("content")
    for name in ("mine", "run", "writer"):
        (tmp_path / name).mkdir()
    return settings


def build(value: dict[str, Any], settings: ServiceSettings, **options: Any) -> Any:
    folder = settings.jobs_folder / JOB
    folder.mkdir(parents=True, exist_ok=True)
    return build_command(
        parse_request(value), settings, folder, owner="alice", **options
    )


def arguments(command: ChildCommand) -> list[str]:
    program = [sys.executable, "-P", "-m", "cotbuild"]
    events = ["--events", f"{FOLDER}/events.jsonl"]
    words = [*program, *events]
    assert list(command.argv[: len(words)]) == words
    return list(command.argv[len(words) :])


ARGUMENTS = {
    JobKind.GENERATE: [
        "generate",
        "--config",
        f"{FOLDER}/build.yaml",
        "--out",
        "../../mine",
        "--max-requests=10",
    ],
    JobKind.IMPORT: [
        "generate",
        "--config",
        f"{FOLDER}/build.yaml",
        "--out",
        "../../mine",
    ],
    JobKind.VARIANTS: [
        "variants",
        "--only=post_cot,key_tokens",
        "--filter",
        "verdicts=correct,incorrect",
        "--filter",
        "share=0.5",
        "--seed=3",
        "--file=scores=../../run/scores.parquet",
        "--",
        "../../mine",
    ],
    JobKind.PUBLISH: [
        "publish",
        "--tag=v1.0.0",
        "--configs=post_cot",
        "--private",
        "--",
        "../../mine",
        "alice/mine",
    ],
    JobKind.EVALUATE: [
        "evaluate",
        "--split=dev",
        "--limit=5",
        "--rationales-from=../../writer",
        "--batch-tokens=8192",
        "--precision=float32",
        "--out",
        "../../results",
        "--",
        "../../run",
    ],
    JobKind.ATTRIBUTE: [
        "attribute",
        "--source=../../mine",
        "--method=integrated-gradients",
        "--steps=4",
        "--max-error=0.1",
        "--",
        "../../run",
    ],
    JobKind.STUDY: ["study", "run", "--", "../../study/STUDY.yaml"],
}


@pytest.mark.parametrize("kind", list(ARGUMENTS))
def test_the_arguments_of_each_kind(
    kind: JobKind, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALICE_HF_TOKEN", "hf_of_alice")
    command = build(REQUESTS[kind], settings)
    assert arguments(command) == ARGUMENTS[kind]
    assert command.cwd == settings.folder / "empty"
    assert list(command.cwd.iterdir()) == []


def test_a_training_states_every_setting(settings: ServiceSettings) -> None:
    words = arguments(build(REQUESTS[JobKind.TRAIN], settings))
    assert words[:3] == ["train", "--variant=post_cot", "--student=embedded"]
    assert "epochs=1.0" in words
    assert "seed=2" in words
    assert words[-4:] == ["--out", "../../run", "--", "../../mine"]


def test_the_settings_of_a_build_are_those_of_the_request(
    settings: ServiceSettings,
) -> None:
    request = parse_request(REQUESTS[JobKind.GENERATE])
    assert isinstance(request, GenerateRequest)
    build(REQUESTS[JobKind.GENERATE], settings)
    written = read_yaml(settings.jobs_folder / JOB / "build.yaml")
    config = BuildConfig.parse(written, "build.yaml")
    source = request.config.source.model_copy(
        update={"name": f"{NAMED}/questions.jsonl"}
    )
    assert config == request.config.model_copy(update={"source": source})


def test_a_budget_has_the_options_of_the_command_line(
    settings: ServiceSettings,
) -> None:
    budget = {
        "max_output_tokens": 1_000_000,
        "max_cost": 0.5,
        "prices": {"input": 0.15, "output": 0.6},
    }
    words = arguments(build({**REQUESTS[JobKind.GENERATE], "budget": budget}, settings))
    assert words[-3:] == [
        "--max-output-tokens=1000000",
        "--max-cost=0.5",
        "--price=in=0.15,out=0.6",
    ]
    budget = {"max_cost": 1.0, "prices": {"gpu_hour": 2.5}}
    words = arguments(build({**REQUESTS[JobKind.GENERATE], "budget": budget}, settings))
    assert words[-2:] == ["--max-cost=1.0", "--gpu-hour=2.5"]


def test_variants_and_their_selection_are_read_back_as_they_were(
    settings: ServiceSettings,
) -> None:
    mix = {
        "name": "half",
        "about": "Half and half.",
        "placement": "mix",
        "mix": [
            {"spec": _spec("mine_pre", "pre_cot"), "share": 0.5},
            {"spec": _spec("mine_label", "label_only"), "share": 0.5},
        ],
    }
    value = {
        **REQUESTS[JobKind.VARIANTS],
        "variants": [],
        "specs": [mix, _spec("own", "post_cot", prompt="$question é\n$options\t")],
        "selection": {"having": ["names_target"], "near_duplicates": 0.9},
        "files": {},
    }
    request = parse_request(value)
    assert isinstance(request, VariantsRequest)
    words = arguments(build(value, settings))
    specs = choose_variants(
        ["half", "own"], [settings.jobs_folder / JOB / "variants.yaml"]
    )
    assert words[1:4] == ["--spec", f"{FOLDER}/variants.yaml", "--only=half,own"]
    assert tuple(specs) == request.specs
    filters = [words[i + 1] for i, word in enumerate(words) if word == "--filter"]
    assert parse_selection(filters) == request.selection


def test_two_parts_of_one_name_that_differ_are_refused(
    settings: ServiceSettings,
) -> None:
    mix = {
        "name": "half",
        "about": "Half and half.",
        "placement": "mix",
        "mix": [{"spec": _spec("part", "pre_cot"), "share": 1.0}],
    }
    specs = [mix, _spec("part", "post_cot")]
    value = {**REQUESTS[JobKind.VARIANTS], "specs": specs, "files": {}}
    with pytest.raises(ConfigError, match="two variants are named 'part'"):
        build(value, settings)


def _spec(name: str, placement: str, **fields: Any) -> dict[str, Any]:
    spec = VariantSpec.parse(
        {"name": name, "about": "Own.", "placement": placement, **fields}, name
    )
    return spec.model_dump(mode="json")


def test_a_study_lies_in_its_folder(settings: ServiceSettings) -> None:
    request = parse_request(REQUESTS[JobKind.STUDY])
    assert isinstance(request, StudyRequest)
    build(REQUESTS[JobKind.STUDY], settings)
    study = read_study(settings.root / "study" / "STUDY.yaml")
    assert study == request.study.model_copy(update={"source": "../../mine"})


def test_a_job_is_the_command_of_its_request(settings: ServiceSettings) -> None:
    request = parse_request(REQUESTS[JobKind.GENERATE])
    job = JobRecord(
        id=JOB,
        kind=JobKind.GENERATE,
        target="mine",
        owner="alice",
        request=request.model_dump(mode="json"),
        request_digest=request_digest(request),
        created_at="2026-01-01T00:00:00Z",
        retry_failed=True,
    )
    (settings.jobs_folder / JOB).mkdir(parents=True)
    command = command_for(job, settings.jobs_folder / JOB, settings)
    again = build(REQUESTS[JobKind.GENERATE], settings, retry_failed=True)
    assert command == again
    assert arguments(command)[-1] == "--retry-failed"


def test_a_process_gets_no_secret_but_those_it_may_have(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OPENAI_API_KEY",
        "TEAM_KEY",
        "OTHER_KEY",
        "HF_TOKEN",
        "ALICE_HF_TOKEN",
    ):
        monkeypatch.setenv(name, f"value of {name}")
    allowed = replace(settings, secret_variables=("TEAM_KEY",))
    generate = REQUESTS[JobKind.GENERATE]

    def secrets(value: dict[str, Any], settings: ServiceSettings) -> dict[str, str]:
        env = build(value, settings).env
        return {
            name: text for name, text in env.items() if text.startswith("value of ")
        }

    assert secrets(generate, allowed) == {}
    with_key = {**generate, "api_key_from": "TEAM_KEY"}
    assert secrets(with_key, allowed) == {"OPENAI_API_KEY": "value of TEAM_KEY"}
    publish = REQUESTS[JobKind.PUBLISH]
    assert secrets(publish, allowed) == {"HF_TOKEN": "value of ALICE_HF_TOKEN"}
    gated = replace(settings, secret_variables=("HF_TOKEN",))
    assert secrets(generate, gated) == {"HF_TOKEN": "value of HF_TOKEN"}
    monkeypatch.delenv("TEAM_KEY")
    with pytest.raises(ConfigError, match="has no variable TEAM_KEY"):
        build(with_key, allowed)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | _TEXTS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(value=st.dictionaries(_TEXTS, _VALUES, max_size=4))
def test_settings_are_read_back_as_they_were_written(
    value: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "settings.yaml"
    write_yaml(path, value)
    assert read_yaml(path) == value
