"""What has to be known before a server of a teacher starts: weights, settings, plan."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.gpus import Gpu, detect_gpus
from cotbuild.builder.teachers.vllm.embedded import MODEL as EMBEDDED_MODEL
from cotbuild.builder.teachers.vllm.model_size import (
    ModelFiles,
    find_model_files,
    read_model_size,
)
from cotbuild.builder.teachers.vllm.plan import ServerPlan, place_servers
from cotbuild.builder.teachers.vllm.tuning import (
    VllmSettings,
    choose_max_model_len,
    detect_machine,
    is_cpu_engine,
    tune_vllm,
)
from cotbuild.builder.teachers.vllm.weights import (
    Weights,
    find_weights,
    read_max_model_len,
)
from cotbuild.schemas.teacher_config import TeacherConfig


@dataclass(frozen=True, slots=True)
class PreparedServers:
    """What all servers of a teacher have in common, and which ones to start."""

    weights: Weights
    settings: VllmSettings
    plan: ServerPlan


async def prepare_servers(
    config: TeacherConfig, identity: str, log: Path, say: Callable[[str], None]
) -> PreparedServers:
    """Look at the machine and at the model.

    Converts the embedded model on first use. Raises ConfigError if vLLM is not
    installed, or the GPUs do not hold the weights.
    """
    machine = await asyncio.to_thread(detect_machine)
    plan = ServerPlan(_title(config), ())
    if machine.gpus:
        plan = await asyncio.to_thread(_plan_on, machine.gpus, config, identity)
    weights = await find_weights(config, identity, log, say)
    settings = tune_vllm(machine, config.server, weights.max_len, plan.tensor_parallel)
    return PreparedServers(weights, settings, plan)


def plan_servers(config: TeacherConfig, identity: str) -> ServerPlan:
    """Return which servers a managed teacher starts on this machine.

    Downloads no weights. Raises ConfigError if the GPUs do not hold them.
    """
    gpus = () if is_cpu_engine() else detect_gpus()
    return _plan_on(gpus, config, identity)


def plan_lines(config: TeacherConfig, identity: str) -> list[str]:
    """Return the line about servers for a dry run; none without a server on GPUs.

    Raises ConfigError if the GPUs do not hold the weights.
    """
    if config.endpoints or config.model == "scripted":
        return []
    plan = plan_servers(config, identity)
    return [plan.describe()] if plan.gpus else []


def _plan_on(gpus: tuple[Gpu, ...], config: TeacherConfig, identity: str) -> ServerPlan:
    if not gpus:
        return ServerPlan(_title(config), ())
    files = find_model_files(config, identity)
    return place_servers(
        gpus,
        _title(config),
        read_model_size(files, config.server.dtype),
        config.server,
        choose_max_model_len(config.server, _max_len(files)),
    )


def _max_len(files: ModelFiles) -> int | None:
    return None if files.config_json is None else read_max_model_len(files.config_json)


def _title(config: TeacherConfig) -> str:
    if config.model == "embedded":
        return EMBEDDED_MODEL
    return Path(config.model).name
