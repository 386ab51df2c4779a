"""An endpoint whose identity the store keeps."""

from pathlib import Path

from cotbuild.builder.teachers.endpoint import EndpointTeacher
from cotbuild.builder.teachers.identity import compare_tokens, remember
from cotbuild.schemas.completion import Request
from cotbuild.schemas.config import TeacherConfig
from cotbuild.schemas.errors import TeacherError


class SettledEndpoint(EndpointTeacher):
    """Its `check` also makes sure that the server is the one `identity` names, and has the store remember it."""

    def __init__(
        self, config: TeacherConfig, identity: str, store_dir: Path, *, window: int, api_key: str | None
    ) -> None:
        if config.endpoint is None:
            raise TeacherError(f"teacher: {config.model!r} has no endpoint. Expected a URL.")
        super().__init__(
            config.endpoint, config.model, window=window, max_attempts=config.max_attempts, api_key=api_key
        )
        self._config = config
        self._identity = identity
        self._store_dir = store_dir

    async def check(self, sample: Request) -> str | None:
        """See Teacher.check."""
        warning = await super().check(sample)
        compare_tokens(self._identity, await self.tokenize_digest(), str(self.base))
        remember(self._config, self._identity, self._store_dir)
        return warning
