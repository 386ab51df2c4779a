"""Who may have a job done."""

from pathlib import Path

import pytest

from cotbuild.builder.service.policy import NotAllowedError, check_request
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.principal import Principal, Role
from cotbuild.schemas.service.requests import parse_request
from tests.support.requests import REQUESTS

REQUEST = REQUESTS[JobKind.TRAIN]


def test_a_viewer_submits_nothing(tmp_path: Path) -> None:
    settings = ServiceSettings(tmp_path)
    with pytest.raises(NotAllowedError, match="eve has the role viewer"):
        check_request(
            parse_request(REQUEST), Principal(name="eve", role=Role.VIEWER), settings
        )


@pytest.mark.parametrize(
    ("role", "priority", "passes"),
    [
        (Role.RUNNER, 0, True),
        (Role.RUNNER, -5, True),
        (Role.RUNNER, 1, False),
        (Role.ADMIN, 100, True),
    ],
)
def test_only_an_admin_goes_before_others(
    role: Role, priority: int, passes: bool, tmp_path: Path
) -> None:
    request = parse_request({**REQUEST, "priority": priority})
    caller = Principal(name="ann", role=role)
    if passes:
        check_request(request, caller, ServiceSettings(tmp_path))
    else:
        with pytest.raises(ConfigError, match="only an admin"):
            check_request(request, caller, ServiceSettings(tmp_path))


def test_the_fields_are_checked_for_an_admin_too(tmp_path: Path) -> None:
    config = {"source": {"name": "/etc/passwd"}}
    request = parse_request({"kind": "generate", "target": "x", "config": config})
    with pytest.raises(ConfigError, match="reads no path"):
        check_request(
            request, Principal(name="ann", role=Role.ADMIN), ServiceSettings(tmp_path)
        )
