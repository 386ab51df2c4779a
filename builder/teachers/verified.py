"""An endpoint whose identity the store keeps."""

from pathlib import Path

from cotbuild.builder.teachers.http.client import LOOK_TIMEOUT_S, EndpointClient
from cotbuild.builder.teachers.identity import compare_tokens, remember
from cotbuild.schemas.completion import Request
from cotbuild.schemas.config import TeacherConfig


class VerifiedEndpoint(EndpointClient):
    """Its `check` also makes sure that the server is the one `identity` names, and has
    the store remember it.
    """

    def __init__(
        self,
        url: str,
        config: TeacherConfig,
        identity: str,
        store_dir: Path,
        api_key: str | None,
    ) -> None:
        timeout_s = min(LOOK_TIMEOUT_S, config.stall_s)
        super().__init__(url, config.model, api_key=api_key, look_timeout_s=timeout_s)
        self._config = config
        self._identity = identity
        self._store_dir = store_dir

    async def check(self, sample: Request | None) -> str | None:
        """See EndpointClient.check."""
        warning = await super().check(sample)
        compare_tokens(self._identity, await self.tokenize_digest(), str(self.base))
        remember(self._config, self._identity, self._store_dir)
        return warning
