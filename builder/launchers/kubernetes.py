"""A manifest that runs workers as an indexed Job of Kubernetes.

See https://kubernetes.io/docs/concepts/workloads/controllers/job/.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import yaml

from cotbuild.builder.exit_codes import ExitCode
from cotbuild.schemas.errors import ConfigError

GRACE_S = 600
"""Seconds that a pod may drain before it is killed."""
RESTARTS = 6
"""Failures of an index before it is given up; disruptions are not counted."""
USER_ID = 10_001
"""The user of the image that deploy/Containerfile builds."""
SCRATCH = "/scratch"
"""Home directory of a worker: models and compiled kernels."""

_SECRET = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*)=([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)/(.+)"
)
_KEY = re.compile(r"[\w.-]{1,253}", re.ASCII)
_CLAIM = re.compile(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):(/.*)")


class SecretVariable(NamedTuple):
    """An environment variable whose value is in a Secret of the cluster."""

    variable: str
    secret: str
    key: str


class VolumeClaim(NamedTuple):
    """A PersistentVolumeClaim and where it is mounted."""

    claim: str
    path: str


def parse_secret(text: str) -> SecretVariable:
    """Parse `VARIABLE=SECRET/KEY`. Raises ConfigError if it is malformed."""
    match = _SECRET.fullmatch(text)
    if match is None or not _KEY.fullmatch(match[3]):
        raise ConfigError(
            f"--secret {text!r} is not VARIABLE=SECRET/KEY. Name the variable, the "
            "Secret of the cluster and a key in it; never the value."
        )
    return SecretVariable(match[1], match[2], match[3])


def parse_claim(text: str) -> VolumeClaim:
    """Parse `CLAIM:PATH`. Raises ConfigError if it is malformed."""
    match = _CLAIM.fullmatch(text)
    if match is None or ":" in match[2]:
        raise ConfigError(
            f"--claim {text!r} is not CLAIM:PATH. Name a PersistentVolumeClaim and the "
            "absolute path at which workers see it."
        )
    return VolumeClaim(match[1], match[2])


def kubernetes_manifest(
    build: str,
    arguments: Sequence[str],
    *,
    image: str,
    count: int,
    gpus_per_worker: int,
    secrets: Sequence[SecretVariable] = (),
    claim: VolumeClaim | None = None,
) -> str:
    """Return a Job with `count` workers as YAML, for `kubectl apply -f -`.

    A pod that is evicted or loses its node drains where it can, and another one takes
    its index. A worker that was drained otherwise is not started again.

    Args:
        build: Path of the build in the volume, or the address of a store.
        arguments: Options of `cotbuild worker`, passed on as they are.
        image: Image with cotbuild in it.
        count: Indexes of the Job, one worker each.
        gpus_per_worker: NVIDIA GPUs of a pod; 0 asks for none.
        secrets: Variables from Secrets, such as the credentials of a store.
        claim: The volume with the build.

    Raises:
        ConfigError: The build is a path that is not in the volume.
    """
    _check_place(build, claim)
    digest = hashlib.sha256(build.encode("utf-8", "surrogateescape")).hexdigest()
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"cotbuild-worker-{digest[:8]}",
            "labels": {"app.kubernetes.io/name": "cotbuild-worker"},
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": count,
            "parallelism": count,
            "backoffLimitPerIndex": RESTARTS,
            "podFailurePolicy": {"rules": _failure_rules()},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "cotbuild-worker"}},
                "spec": _pod(build, arguments, image, gpus_per_worker, secrets, claim),
            },
        },
    }
    return yaml.safe_dump(job, sort_keys=False, allow_unicode=True)


def _check_place(build: str, claim: VolumeClaim | None) -> None:
    if "://" in build:
        return
    path = PurePosixPath(build)
    if ".." in path.parts or not path.is_absolute():
        raise ConfigError(
            f"{build!r} is no absolute path, and pods have no current directory of "
            "yours. Pass the path of the build in the volume, or s3://…."
        )
    if claim is None or not path.is_relative_to(claim.path):
        where = "in no volume" if claim is None else f"not in {claim.path!r}"
        raise ConfigError(
            f"{build!r} is {where} of the pods. Pass --claim CLAIM:PATH with a PATH "
            "that contains it, or a build on s3://…."
        )


def _failure_rules() -> list[dict[str, Any]]:
    """Return what an exit means, first match first; others count as failures."""

    def on_exit(action: str, code: ExitCode) -> dict[str, Any]:
        codes = {"containerName": "worker", "operator": "In", "values": [int(code)]}
        return {"action": action, "onExitCodes": codes}

    disrupted = {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    return [
        disrupted,
        # Wrong options are wrong for every index.
        on_exit("FailJob", ExitCode.USAGE),
        # Drained on purpose, so a new pod would drain at once too.
        on_exit("FailIndex", ExitCode.PAUSED),
    ]


def _pod(
    build: str,
    arguments: Sequence[str],
    image: str,
    gpus_per_worker: int,
    secrets: Sequence[SecretVariable],
    claim: VolumeClaim | None,
) -> dict[str, Any]:
    # The name of a pod contains the index and differs after each restart: the pod before
    # may still be running on a node that the cluster has lost.
    pod_name = {"fieldRef": {"fieldPath": "metadata.name"}}
    variables: list[dict[str, Any]] = [
        {"name": "COTBUILD_WORKER_ID", "valueFrom": pod_name},
        {"name": "HOME", "value": SCRATCH},
    ]
    for variable, secret, key in secrets:
        reference = {"secretKeyRef": {"name": secret, "key": key}}
        variables.append({"name": variable, "valueFrom": reference})
    volumes: list[dict[str, Any]] = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        # For NCCL, between the GPUs of a pod.
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
    ]
    mounts = [
        {"name": "scratch", "mountPath": SCRATCH},
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "shm", "mountPath": "/dev/shm"},
    ]
    if claim is not None:
        source = {"persistentVolumeClaim": {"claimName": claim.claim}}
        volumes.append({"name": "builds", **source})
        mounts.append({"name": "builds", "mountPath": claim.path})
    container: dict[str, Any] = {
        "name": "worker",
        "image": image,
        "command": ["cotbuild", "worker"],
        "args": [
            *map(_escape_references, (build, *arguments)),
            *("--id", "$(COTBUILD_WORKER_ID)"),
        ],
        "env": variables,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    if gpus_per_worker:
        container["resources"] = {"limits": {"nvidia.com/gpu": gpus_per_worker}}
    return {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_S,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }


def _escape_references(argument: str) -> str:
    """Keep Kubernetes from expanding `$(NAME)` in an argument."""
    return argument.replace("$", "$$")
