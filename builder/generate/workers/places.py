"""The environment of each worker that a run starts: its GPUs, and the secrets it needs."""

import os
from collections.abc import Callable, Mapping

from cotbuild.builder.environment import download_secrets
from cotbuild.builder.gpus import gpu_environment, split_gpus
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.teacher_config import TeacherConfig

API_KEY = "OPENAI_API_KEY"


def local_environments(
    config: TeacherConfig, identity: str, number: int, say: Callable[[str], None]
) -> list[dict[str, str]]:
    """Return the variables of each worker on this machine, `number` of them at most.

    Where each starts a server of its own they share the GPUs: there are no more workers
    than servers have room, and one on a CPU.

    Args:
        config: The teacher.
        identity: Its identity.
        number: How many workers are wanted.
        say: Receives a line where there will be fewer.

    Raises:
        ConfigError: The GPUs do not hold the weights.
    """
    environments = secret_environments(config, number)
    if config.endpoints or config.model == "scripted" or not number:
        return environments
    # Here, since no other teacher needs it.
    from cotbuild.builder.teachers.vllm.prepare import plan_servers

    plan = plan_servers(config, identity)
    shares: list[dict[str, str]] = [{}]
    if plan.gpus_per_server:
        split = split_gpus(plan.gpus, number, plan.gpus_per_server)
        shares = [gpu_environment(share) for share in split if share]
    if len(shares) < number:
        workers = pluralize(len(shares), "worker")
        say(f"{workers}, not {number}: this machine has no room for more servers")
    return [
        secrets | share for secrets, share in zip(environments, shares, strict=False)
    ]


def secret_environments(config: TeacherConfig, number: int) -> list[dict[str, str]]:
    """Return the secrets of each of `number` workers."""
    return [teacher_secrets(config) for _ in range(number)]


def teacher_secrets(
    config: TeacherConfig, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables with secrets that a worker needs to reach a teacher.

    That is the key of endpoints, or what a download of the model needs.
    """
    if config.endpoints:
        return {API_KEY: environ[API_KEY]} if API_KEY in environ else {}
    return {} if config.model == "scripted" else download_secrets()
