"""The allow-list of teachers' addresses: what it allows, and what slips past none."""

import pytest

from cotbuild.builder.service.requests.endpoints import (
    check_endpoint,
    check_endpoint_pattern,
)
from cotbuild.schemas.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("http://gpu-1:8000/v1", "http://gpu-1:8000"),
        ("http://gpu-1:8000/v1", "http://gpu-*:*"),
        ("http://GPU-1:8000/v1", "http://gpu-1:8000/*"),
        ("https://api.example.org/v1", "https://*.example.org"),
        ("https://api.example.org:443/v1", "https://api.example.org"),
        ("https://api.example.org/v1", "https://api.example.org:443/v1"),
        ("http://127.0.0.1:9/v1", "http://127.0.0.1:*"),
        ("http://[::1]:8000/v1", "http://[::1]:8000"),
        ("http://anything.example:1/x", "http://*:*"),
    ],
)
def test_a_pattern_allows(url: str, pattern: str) -> None:
    check_endpoint(url, [check_endpoint_pattern(pattern)], "config.teacher.endpoints")


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("http://gpu-1:8001/v1", "http://gpu-1:8000"),
        ("https://gpu-1:8000/v1", "http://gpu-1:8000"),
        ("http://gpu-1.evil.example/v1", "http://gpu-*"),
        ("http://gpu-1/v1", "http://gpu-1:8000"),
        ("https://a.b.example.org/v1", "https://*.example.org"),
        ("https://example.org/v1", "https://*.example.org"),
        ("https://api.example.org/other", "https://api.example.org/v1"),
        ("http://169.254.169.254/latest", "http://gpu-*:*"),
        ("http://[::1]:22/v1", "http://[::1]:8000"),
        ("http://gpu-1:8000/v1", ""),
    ],
)
def test_a_pattern_does_not_allow(url: str, pattern: str) -> None:
    with pytest.raises(ConfigError, match="this service does not contact"):
        check_endpoint(url, [pattern], "endpoints")


@pytest.mark.parametrize(
    "url",
    [
        "http://gpu-1:8000@evil.example/v1",
        "http://user:secret@gpu-1:8000/v1",
        "http://evil.example\\@gpu-1:8000/v1",
        "http://gpu-1:8000/v1/../../admin",
        "http://gpu-1:8000/v1?url=http://evil.example",
        "http://gpu-1:8000/v1#x",
        "http://gpu-1%2eevil.example/v1",
        "http://gpu-1:8000/v1\n",
        "http://gpu-1 :8000/v1",
        "http://*/v1",
        "http://gpu-1:http/v1",
        "http:///v1",
        "http:gpu-1",
        "file:///etc/passwd",
        "gopher://gpu-1:8000/",
        "//gpu-1:8000/v1",
        "http://gpu‐1:8000/v1",
        "http://[::1/v1",
        "http://" + "a" * 3000,
    ],
)
def test_an_odd_address_is_refused_whatever_is_allowed(url: str) -> None:
    with pytest.raises(ConfigError, match="no plain http"):
        check_endpoint(url, ["http://*:*", "https://*:*"], "endpoints")


def test_a_pattern_that_is_none_is_refused_at_the_start() -> None:
    for pattern in ("gpu-1", "ftp://x", "http://a b", "http://x/../y", ""):
        with pytest.raises(ConfigError, match="--allow-endpoint"):
            check_endpoint_pattern(pattern)
