"""The Job manifest against the schemas of Kubernetes, and what they do not check."""

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.launchers.kubernetes import (
    SecretVariable,
    VolumeClaim,
    kubernetes_manifest,
    parse_claim,
    parse_secret,
)
from cotbuild.schemas.errors import ConfigError

VERSIONS = ["1.31", "1.34", "1.37"]
"""backoffLimitPerIndex is on by default from 1.29 and stable from 1.33."""


def make_job(build: str = "s3://bucket/build", **options: Any) -> Any:
    keywords: dict[str, Any] = {
        "image": "registry.example/cotbuild:1",
        "count": 3,
    } | options
    keywords.setdefault("gpus_per_worker", 1)
    arguments = keywords.pop("arguments", ())
    return yaml.safe_load(kubernetes_manifest(build, arguments, **keywords))


def container_of(job: Any) -> Any:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return container


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gpus_per_worker": 0, "count": 1},
        {
            "build": "/data/builds/obqa",
            "claim": VolumeClaim("builds", "/data"),
            "secrets": [SecretVariable("AWS_SECRET_ACCESS_KEY", "s3", "secret-key")],
            "arguments": ["--endpoint", "http://vllm:8000/v1"],
        },
    ],
    ids=["GPUs and a store", "neither GPUs", "a volume and a secret"],
)
def test_the_manifest_is_valid(version: str, options: dict[str, Any]) -> None:
    kubernetes_validate.validate(make_job(**options), version, strict=True)


def test_the_schemas_refuse_what_kubernetes_refuses() -> None:
    job = make_job()
    job["spec"]["completions"] = "three"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSIONS[-1], strict=True)


def test_a_job_has_an_index_for_each_worker() -> None:
    spec = make_job(count=7, gpus_per_worker=4)["spec"]
    assert (spec["completionMode"], spec["completions"]) == ("Indexed", 7)
    assert spec["parallelism"] == 7
    container = container_of({"spec": spec})
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 4}}
    # Both are conditions of a podFailurePolicy and its FailIndex.
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["backoffLimitPerIndex"] > 0


def test_a_disruption_is_not_counted_and_a_drained_worker_stays_away() -> None:
    disrupted, usage, drained = make_job()["spec"]["podFailurePolicy"]["rules"]
    assert disrupted["action"] == "Ignore"
    assert disrupted["onPodConditions"][0]["type"] == "DisruptionTarget"
    assert (usage["action"], usage["onExitCodes"]["values"]) == ("FailJob", [2])
    assert (drained["action"], drained["onExitCodes"]["values"]) == ("FailIndex", [4])
    name = container_of(make_job())["name"]
    assert {usage["onExitCodes"]["containerName"]} == {name}


def test_workers_have_the_name_of_their_pod_and_no_privilege() -> None:
    job = make_job()
    container = container_of(job)
    assert container["args"][-2:] == ["--id", "$(COTBUILD_WORKER_ID)"]
    by_name = {variable["name"]: variable for variable in container["env"]}
    field = by_name["COTBUILD_WORKER_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert field == "metadata.name"
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    pod = job["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False


def test_a_secret_is_named_and_never_quoted() -> None:
    secrets = [parse_secret("HF_TOKEN=hub/token")]
    (variable,) = [
        entry
        for entry in container_of(make_job(secrets=secrets))["env"]
        if entry["name"] == "HF_TOKEN"
    ]
    assert variable == {
        "name": "HF_TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}},
    }


@settings(max_examples=25)
@given(st.lists(st.text(max_size=20), max_size=4))
def test_arguments_reach_the_worker_as_they_are(arguments: list[str]) -> None:
    printable = [text for text in arguments if text.isprintable()]
    shown = container_of(make_job(arguments=printable))["args"]
    assert [expand(text) for text in shown[1:-2]] == printable


def expand(argument: str) -> str:
    """Expand `$(NAME)` and `$$` as Kubernetes does, without any variable set."""
    return re.sub(r"\$\$|\$\([^)]*\)", lambda m: "$" if m[0] == "$$" else "", argument)


@pytest.mark.parametrize(
    ("build", "claim", "message"),
    [
        ("builds/x", VolumeClaim("b", "/data"), "'builds/x' is no absolute path"),
        ("/data/../x", VolumeClaim("b", "/data"), "'/data/../x' is no absolute path"),
        ("/data/x", None, "'/data/x' is in no volume of the pods"),
        ("/data/x", VolumeClaim("b", "/dat"), "'/data/x' is not in '/dat' of the pods"),
    ],
)
def test_a_build_that_pods_cannot_see_is_refused(
    build: str, claim: VolumeClaim | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        make_job(build, claim=claim)


@pytest.mark.parametrize(
    "text", ["HF_TOKEN", "HF_TOKEN=hub", "A=B/c", "1A=b/c", "A=b/c d", "A=b/", "=b/c"]
)
def test_a_malformed_secret_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not VARIABLE=SECRET/KEY"):
        parse_secret(text)


def test_a_claim_is_parsed() -> None:
    assert parse_claim("builds:/data") == VolumeClaim("builds", "/data")


@pytest.mark.parametrize("text", ["builds", "builds:data", "Builds:/data", "b:/d:ro"])
def test_a_malformed_claim_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not CLAIM:PATH"):
        parse_claim(text)
