"""An endpoint client that verifies the endpoint's identity."""

from pathlib import Path

from cotbuild.builder.teachers.http.client import CALL_TIMEOUT_S, EndpointClient
from cotbuild.builder.teachers.http.images import ImageUrl, refuse_image
from cotbuild.builder.teachers.identity import check_tokenizer, save_identity
from cotbuild.schemas.completion import Request
from cotbuild.schemas.teacher_config import TeacherConfig


class VerifiedEndpoint(EndpointClient):
    """A client whose `check` also compares the server with `identity`.

    If they agree, the identity is saved in the store's teacher.json.
    """

    def __init__(
        self,
        url: str,
        config: TeacherConfig,
        identity: str,
        store_dir: Path,
        api_key: str | None,
        image_url: ImageUrl = refuse_image,
    ) -> None:
        timeout_s = min(CALL_TIMEOUT_S, config.stall_s)
        super().__init__(
            url,
            config.model,
            api_key=api_key,
            call_timeout_s=timeout_s,
            max_answer_s=config.max_answer_s,
            image_url=image_url,
        )
        self._config = config
        self._identity = identity
        self._store_dir = store_dir

    async def check(self, sample: Request | None) -> str | None:
        """See EndpointClient.check.

        Raises TeacherError if the server tokenizes otherwise than `identity` records.
        """
        warning = await super().check(sample)
        check_tokenizer(self._identity, await self.tokenize_digest(), str(self.base))
        save_identity(self._config, self._identity, self._store_dir)
        return warning
