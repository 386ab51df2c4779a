"""Which addresses a picture may be fetched from: public ones, after resolution.

A data set's author chooses the URLs, and so could make this machine send requests to
its own services or to those of its network.
"""

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""NAT64: the last 32 bits are an IPv4 address that a gateway connects to."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotPublic(OSError):
    """A host has an address that no picture is fetched from; the message names it."""


def is_public_address(text: str) -> bool:
    """Return whether an IP address is one of the public internet.

    Private, loopback, link-local, reserved and multicast ones are not, nor are IPv6
    addresses that stand for such an IPv4 address.
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _find_inner_ipv4(address)
    return all(
        one.is_global and not one.is_multicast for one in (address, inner) if one
    )


def _find_inner_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address is translated to, if any."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


class Network:
    """How hosts are looked up, and which addresses are public; tests have another."""

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> list[ResolveResult]:
        """Return the addresses of a host; raises OSError."""
        return await ThreadedResolver().resolve(host, port, family)

    def is_public(self, address: str) -> bool:
        """See is_public_address."""
        return is_public_address(address)


class PublicResolver(AbstractResolver):
    """Resolves hosts to public addresses, which are those that are connected to.

    aiohttp connects to what its resolver returns and looks nothing up again, so a name
    cannot lead elsewhere between the check and the connection.
    """

    def __init__(self, network: Network) -> None:
        self._network = network

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises NotPublic if one of them is not public, and OSError if there is none.
        """
        results = await self._network.resolve(host, port, family)
        for result in results:
            if not self._network.is_public(result["host"]):
                raise NotPublic(f"{host} is at {result['host']}, no public address")
        return results

    async def close(self) -> None:
        """Close nothing; a part of aiohttp's interface."""
