"""Fetches pictures from http(s) URLs that a data set names.

No address but a public one is connected to, redirects are followed one by one and
checked as the URL itself, and nothing of the user's goes out: no cookies, credentials
or proxies from the environment.
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
from yarl import URL

from cotbuild.builder.media.addresses import Network, NotPublic, PublicResolver
from cotbuild.builder.media.check import MAX_IMAGE_BYTES
from cotbuild.builder.media.faults import NotFetched
from cotbuild.schemas.failure_messages import fold_line
from cotbuild.schemas.record import short_repr

MAX_REDIRECTS = 3
MAX_CONNECTIONS = 8
"""Pictures that are fetched at once."""
FETCH_TIMEOUT_S = 60.0
"""Time limit of one picture, with its redirects."""
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 20.0
ATTEMPTS = 2
RETRY_AFTER_S = 1.0

_HEADERS = {
    "User-Agent": "cotbuild",
    "Accept": "image/png, image/jpeg, image/webp, image/gif",
    # What is compressed might be small on the way and huge here.
    "Accept-Encoding": "identity",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Refused(Exception):
    """A URL gives no picture; the same request would be refused again."""


class _Failed(Exception):
    """A URL gave no picture this time."""


async def fetch_pictures(
    urls: Sequence[str],
    record: Callable[[str, bytes | NotFetched], None],
    network: Network | None = None,
    *,
    timeout_s: float = FETCH_TIMEOUT_S,
    retry_after_s: float = RETRY_AFTER_S,
) -> None:
    """Fetch each URL and call `record` with it and its bytes, or why there are none.

    `record` is called in the order in which the answers come, so that no more than
    MAX_CONNECTIONS pictures are in memory.

    Args:
        urls: The URLs, each once.
        record: Receives what each gave.
        network: How hosts are looked up; None for the machine's own resolver.
        timeout_s: Time limit of one picture in seconds, with its redirects.
        retry_after_s: Seconds before the second attempt at one that may yet come.
    """
    fetcher = _Fetcher(network or Network(), timeout_s, retry_after_s)
    slots = asyncio.Semaphore(MAX_CONNECTIONS)
    async with _open_session(fetcher.network) as session:

        async def fetch(url: str) -> None:
            async with slots:
                record(url, await fetcher.fetch(session, url))

        try:
            async with asyncio.TaskGroup() as group:
                for url in urls:
                    group.create_task(fetch(url))
        except BaseExceptionGroup as faults:
            # What `record` raised, such as a full disk.
            raise faults.exceptions[0] from None


def _open_session(network: Network) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=PublicResolver(network), limit=MAX_CONNECTIONS, use_dns_cache=False
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers=_HEADERS,
        timeout=aiohttp.ClientTimeout(
            total=FETCH_TIMEOUT_S,
            sock_connect=CONNECT_TIMEOUT_S,
            sock_read=READ_TIMEOUT_S,
        ),
    )


class _Fetcher(NamedTuple):
    network: Network
    timeout_s: float
    retry_after_s: float

    async def fetch(
        self, session: aiohttp.ClientSession, url: str
    ) -> bytes | NotFetched:
        """Return the bytes at a URL, or why there are none after all attempts."""
        outcome = await self._attempt(session, url)
        for _ in range(ATTEMPTS - 1):
            if isinstance(outcome, bytes) or outcome.is_final:
                break
            await asyncio.sleep(self.retry_after_s)
            outcome = await self._attempt(session, url)
        return outcome

    async def _attempt(
        self, session: aiohttp.ClientSession, url: str
    ) -> bytes | NotFetched:
        try:
            async with asyncio.timeout(self.timeout_s):
                return await _follow(session, self.network, url)
        except _Refused as fault:
            return NotFetched(_one_clause(fault), is_final=True)
        except aiohttp.ClientConnectorDNSError as fault:
            is_refused = isinstance(fault.os_error, NotPublic)
            return NotFetched(_one_clause(fault.os_error), is_final=is_refused)
        except TimeoutError:
            return NotFetched(f"no answer within {self.timeout_s:g} s", is_final=False)
        except (_Failed, aiohttp.ClientError, OSError, ValueError) as fault:
            return NotFetched(_one_clause(fault), is_final=False)


def _one_clause(fault: BaseException) -> str:
    return fold_line(str(fault))[:200] or type(fault).__name__


async def _follow(session: aiohttp.ClientSession, network: Network, url: str) -> bytes:
    """Return the bytes at a URL, behind at most MAX_REDIRECTS redirects."""
    for _ in range(1 + MAX_REDIRECTS):
        target = _parse_url(url, network)
        async with session.get(target, allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                url = _redirect_target(response, target)
                continue
            return await _read_picture(response)
    raise _Refused(f"more than {MAX_REDIRECTS} redirects")


def _parse_url(url: str, network: Network) -> URL:
    """Return a URL that may be fetched; raises _Refused."""
    try:
        parsed = URL(url)
        host, port = parsed.host, parsed.port
    except ValueError as fault:
        raise _Refused(f"{short_repr(url)} is no URL: {fault}") from fault
    if parsed.scheme not in ("http", "https") or not host or port is None:
        raise _Refused(f"{short_repr(url)} is no http(s) URL")
    if parsed.user is not None or parsed.password is not None:
        raise _Refused("it holds a user name, and none is sent")
    # aiohttp resolves names only.
    is_number = ":" in host or host.replace(".", "").isdigit()
    if is_number and not network.is_public(host):
        raise _Refused(f"{host} is no public address")
    return parsed


def _redirect_target(response: aiohttp.ClientResponse, base: URL) -> str:
    location = response.headers.get("Location", "")
    try:
        return str(base.join(URL(location)))
    except ValueError as fault:
        raise _Refused(f"a redirect to {short_repr(location)}") from fault


async def _read_picture(response: aiohttp.ClientResponse) -> bytes:
    """Return a body up to MAX_IMAGE_BYTES; raises _Refused or _Failed."""
    if response.status != HTTPStatus.OK:
        error = _Failed if response.status in _TEMPORARY else _Refused
        raise error(f"HTTP {response.status}")
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > MAX_IMAGE_BYTES:
            response.close()
            raise _Refused(f"more than {MAX_IMAGE_BYTES:,} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
