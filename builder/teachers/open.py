"""Opens the teacher that a TeacherConfig describes."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from cotbuild.builder.media.store import MediaStore
from cotbuild.builder.teachers.base import Teacher
from cotbuild.builder.teachers.http.secret import SecretFilter
from cotbuild.builder.teachers.identity import refuse_recorded, save_identity
from cotbuild.builder.teachers.vllm.weights import refuse_text_model
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.server_profiles import find_profile
from cotbuild.schemas.teacher_config import TeacherConfig

ENDPOINT_WINDOW = 128
"""Default number of requests in flight at one endpoint.

A server queues what it cannot run at once.
"""
SCRIPTED_WINDOW = 128


def open_teacher(
    config: TeacherConfig,
    identity: str,
    store_dir: Path,
    say: Callable[[str], None],
    *,
    media: MediaStore | None = None,
    max_images: int = 0,
    socket: Path | None = None,
) -> Teacher:
    """Return the teacher, to be entered with `async with`.

    Call it only if requests will be sent: from here on teacher.json caches what the
    identity took to find out, for an endpoint once its `check` has passed.

    Args:
        config: The teacher's configuration.
        identity: What `teacher_identity` returned for it.
        store_dir: The store; a managed server's logs go to its folder `logs`.
        say: Receives lines about progress, restarts and endpoints.
        media: The pictures of the requests; None if they have none.
        max_images: The most pictures of one request.
        socket: Where a service runs the managed teacher for this job; None for what
            the variable COTBUILD_TEACHER_SOCKET says, if it is set.

    Raises:
        ConfigError: The teacher is only recorded, has the profile of another server
            than the one that would be started, or takes no pictures, and there are
            some.
    """
    refuse_recorded(config)
    if config.endpoints:
        return _open_endpoints(config, identity, store_dir, say, media)
    if config.model != "scripted":
        _refuse_other_profile(config)
        if max_images:
            refuse_text_model(config)
    save_identity(config, identity, store_dir)
    # Imported when needed: aiohttp alone takes a quarter of a second.
    if config.model == "scripted":
        from cotbuild.builder.teachers.scripted import ScriptedTeacher

        return ScriptedTeacher(config.scripted, config.window or SCRIPTED_WINDOW)
    return _open_vllm(config, identity, store_dir, say, media, max_images, socket)


def _open_vllm(
    config: TeacherConfig,
    identity: str,
    store_dir: Path,
    say: Callable[[str], None],
    media: MediaStore | None,
    max_images: int,
    socket: Path | None,
) -> Teacher:
    """Return a teacher on a vLLM server: the service's for this job, or one of its own."""
    from cotbuild.builder.teachers.http.images import read_data_uri, refuse_image
    from cotbuild.builder.teachers.shared import SharedTeacher, find_socket
    from cotbuild.builder.teachers.vllm.managed import ManagedTeacher

    image_url = refuse_image if media is None else read_data_uri(media)
    socket = socket or find_socket()
    if socket is not None:
        return SharedTeacher(
            config, identity, socket, say, image_url=image_url, max_images=max_images
        )
    return ManagedTeacher(
        config,
        identity,
        store_dir / "logs",
        say,
        image_url=image_url,
        max_images=max_images,
    )


def refuse_published_key(config: TeacherConfig) -> None:
    """Raise ConfigError if extra_body holds the API key: build.json is published."""
    api_key = SecretFilter(os.environ.get("OPENAI_API_KEY"))
    # As text, so that names and values are looked at in every depth.
    body = json.dumps(config.extra_body, ensure_ascii=False)
    if api_key.redact(body) != body:
        raise ConfigError(
            "teacher.extra_body holds the value of OPENAI_API_KEY, and build.json is "
            "published. Remove it; the key is sent as the Authorization header."
        )


def _refuse_other_profile(config: TeacherConfig) -> None:
    if config.profile is not None and find_profile(config.profile).name != "vllm":
        raise ConfigError(
            f"teacher.profile is {config.profile!r}, but cotbuild starts vLLM, which takes "
            "every field. Pass --profile vllm, or --endpoint URL of such a server."
        )


def _open_endpoints(
    config: TeacherConfig,
    identity: str,
    store_dir: Path,
    say: Callable[[str], None],
    media: MediaStore | None,
) -> Teacher:
    from cotbuild.builder.teachers.http.images import read_data_uri, refuse_image
    from cotbuild.builder.teachers.http.pool import EndpointPool
    from cotbuild.builder.teachers.verified import VerifiedEndpoint

    api_key = os.environ.get("OPENAI_API_KEY")
    image_url = refuse_image if media is None else read_data_uri(media)
    clients = [
        VerifiedEndpoint(url, config, identity, store_dir, api_key, image_url)
        for url in config.endpoints
    ]
    return EndpointPool(
        clients,
        say,
        window=config.window or ENDPOINT_WINDOW,
        max_attempts=config.max_attempts,
        stall_s=config.stall_s,
    )
