"""What a caller may ask the service for, checked before a request is accepted.

The fields of a request are checked by `requests.table`, each by its rule; here is what
depends on who asks.
"""

from cotbuild.builder.service.requests.table import resolve_request
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.errors import ConfigError, CotbuildError
from cotbuild.schemas.service.principal import Principal
from cotbuild.schemas.service.requests import JobRequest


class NotAllowedError(CotbuildError, PermissionError):
    """The role of a caller does not allow what it asks for."""


def check_request(
    request: JobRequest, principal: Principal, settings: ServiceSettings
) -> None:
    """Check that a caller may have a job done.

    Whether it may read `request.reads` and write `request.target` is for who knows their
    owners. Raises NotAllowedError for its role, ConfigError in one line for a field that
    the service does not take, or an upload that is missing.
    """
    if not principal.can_submit:
        raise NotAllowedError(
            f"{principal.name} has the role {principal.role.value}, which submits no "
            "jobs. Use a token with the role runner."
        )
    if request.priority > 0 and not principal.is_admin:
        raise ConfigError(
            f"priority is {request.priority}, and only an admin may go before others. "
            "Expected at most 0."
        )
    resolve_request(request, settings, principal.name)
