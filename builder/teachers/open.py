"""From a TeacherConfig to a Teacher."""

import os
from collections.abc import Callable
from pathlib import Path

from cotbuild.builder.teachers.base import Teacher
from cotbuild.builder.teachers.identity import refuse_recorded, remember
from cotbuild.schemas.config import TeacherConfig

ENDPOINT_WINDOW = 128
"""Requests in flight at one endpoint where the user says nothing; what a server cannot
run at once it queues.
"""
SCRIPTED_WINDOW = 128


def open_teacher(
    config: TeacherConfig, identity: str, store_dir: Path, say: Callable[[str], None]
) -> Teacher:
    """The teacher to enter with `async with`; `identity` is what `teacher_identity`
    said.

    Call it only where something is to be asked: what the identity took to find out is
    kept in teacher.json from here on, for an endpoint once its `check` has passed. Logs
    of a managed server go to `store_dir`/logs. Raises ConfigError for a teacher that is
    only recorded.
    """
    refuse_recorded(config)
    # Imported as needed: aiohttp alone takes a quarter of a second.
    if config.endpoints:
        from cotbuild.builder.teachers.http.pool import EndpointPool
        from cotbuild.builder.teachers.verified import VerifiedEndpoint

        key = os.environ.get("OPENAI_API_KEY")
        clients = [
            VerifiedEndpoint(url, config, identity, store_dir, key)
            for url in config.endpoints
        ]
        return EndpointPool(
            clients,
            say,
            window=config.window or ENDPOINT_WINDOW,
            max_attempts=config.max_attempts,
            stall_s=config.stall_s,
        )
    remember(config, identity, store_dir)
    if config.model == "scripted":
        from cotbuild.builder.teachers.scripted import ScriptedTeacher

        return ScriptedTeacher(config.scripted, config.window or SCRIPTED_WINDOW)
    from cotbuild.builder.teachers.vllm.managed import ManagedTeacher

    return ManagedTeacher(config, identity, store_dir / "logs", say)
