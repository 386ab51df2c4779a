"""Attacks on a running service, over the wire: each is refused, and says nothing."""

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cotbuild.builder.service.access import issue_first_token
from cotbuild.schemas.service.principal import Role
from tests.support.services import ServedService, make_token, served, upload

SECRET = "sk-hidden-1234567890"
QUESTIONS = b'{"question": "1 + 1?", "answer": "2"}\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedService]:
    with served(
        tmp_path_factory.mktemp("root"), allow_endpoints=("http://llm.lan:8000/*",)
    ) as service:
        yield service


@pytest.fixture(scope="module")
def alice(service: ServedService) -> Iterator[httpx.Client]:
    with service.client("alice") as client:
        yield client


@pytest.fixture
def browser(service: ServedService) -> Iterator[httpx.Client]:
    """A client with the session that the printed address opens."""
    with httpx.Client(base_url=service.url, follow_redirects=True) as client:
        token = issue_first_token(service.service.access)
        assert client.get("/", params={"token": token}).status_code == 200
        yield client


def talk(service: ServedService, sent: bytes, *, ends: bool = False) -> bytes:
    """What the server answers to bytes until it closes the connection; with `ends`,
    no more follows.
    """
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(sent)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while part := connection.recv(65_536):
                received += part
        except ConnectionResetError:
            pass
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


# -- who one is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer cot_wrong",
        "Basic YWRhOmFkYQ==",
        "bearer null",
        "Bearer " + "x" * 10_000,
        "Token cot_wrong",
    ],
)
def test_a_wrong_token_opens_nothing(
    service: ServedService, authorization: str
) -> None:
    with service.client() as client:
        for path in ("/v1/info", "/v1/jobs", "/v1/tokens", "/metrics", "/openapi.json"):
            response = client.get(path, headers={"authorization": authorization})
            assert response.status_code == 401, path
            assert response.headers["www-authenticate"] == "Bearer"


def test_a_token_in_the_address_is_none(service: ServedService) -> None:
    token = make_token(service.service, "query", Role.ADMIN)
    with service.client() as client:
        for name in ("token", "access_token", "authorization"):
            response = client.get("/v1/info", params={name: token})
            assert response.status_code == 401, name


def test_two_headers_do_not_make_one_user(service: ServedService) -> None:
    token = make_token(service.service, "twice", Role.ADMIN)
    host = service.url.removeprefix("http://")
    for first, second in ((token, "cot_wrong"), ("cot_wrong", token)):
        answer = talk(
            service,
            f"GET /v1/info HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {first}\r\n"
            f"Authorization: Bearer {second}\r\nConnection: close\r\n\r\n".encode(),
        )
        assert status_of(answer) in (400, 401)


def test_an_old_token_and_its_sessions_end(service: ServedService) -> None:
    token = make_token(service.service, "leaver")
    with httpx.Client(base_url=service.url, follow_redirects=False) as client:
        origin = {"origin": service.url, "sec-fetch-site": "same-origin"}
        login = client.post("/login", data={"token": token}, headers=origin)
        assert login.status_code == 303
        cookie = login.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert token not in cookie
        assert client.get("/v1/info").json()["principal"]["name"] == "leaver"
        service.service.tokens.remove("leaver")
        assert client.get("/v1/info").status_code == 401
        client.cookies.clear()
        assert (
            client.get(
                "/v1/info", headers={"authorization": f"Bearer {token}"}
            ).status_code
            == 401
        )


def test_a_damaged_file_of_tokens_shuts_out_and_shows_no_path(tmp_path: Path) -> None:
    with served(tmp_path) as service, service.client("alice") as client:
        service.service.settings.tokens_file.write_text("{")
        origin = {"origin": service.url, "sec-fetch-site": "same-origin"}
        refused = [
            client.get("/v1/jobs"),
            client.get("/jobs", headers={"accept": "text/html"}),
            client.post("/login", data={"token": "cot_x"}, headers=origin),
        ]
        for path in ("/healthz", "/readyz", "/login", "/static/page.css"):
            assert client.get(path).status_code == 200
    for response in refused:
        assert response.status_code == 500
        assert "cannot read its tokens now" in response.text
        assert str(tmp_path) not in response.text
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert "<h1" in refused[1].text


def test_a_session_id_that_a_client_chose_is_none(
    service: ServedService, browser: httpx.Client
) -> None:
    (name,) = browser.cookies.keys()
    known = browser.cookies[name]
    token = make_token(service.service, "fixed")
    with httpx.Client(base_url=service.url, cookies={name: "chosen-by-me"}) as client:
        assert client.get("/v1/info").status_code == 401
        origin = {"origin": service.url}
        login = client.post("/login", data={"token": token}, headers=origin)
        assert login.cookies[name] not in ("chosen-by-me", known)
    with httpx.Client(base_url=service.url, cookies={name: "chosen-by-me"}) as client:
        assert client.get("/v1/info").status_code == 401


def test_the_printed_address_works_once(service: ServedService) -> None:
    token = issue_first_token(service.service.access)
    with service.client() as first, service.client() as second:
        assert first.get("/", params={"token": token}).status_code == 303
        assert second.get("/", params={"token": token}).status_code == 401


# -- where a request comes from -----------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:80",
        "evil.example:8787",
        "127.0.0.1@evil.example",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "",
        "127.0.0.1:80:80",
        "127.0.0.1/",
    ],
)
def test_another_host_is_not_answered(alice: httpx.Client, host: str) -> None:
    """A name of another site that resolves to this machine: DNS rebinding."""
    for path in ("/v1/info", "/", "/healthz", "/login"):
        response = alice.get(path, headers={"host": host})
        assert response.status_code in (400, 421), path


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {},
    ],
)
def test_another_site_writes_nothing_with_a_cookie(
    browser: httpx.Client, headers: dict[str, str]
) -> None:
    for path in ("/v1/tokens", "/v1/jobs", "/v1/plans", "/settings/tokens", "/new"):
        content = json.dumps({"name": "evil", "role": "admin"})
        types = {"content-type": "application/json"}
        response = browser.post(path, content=content, headers=types | headers)
        assert response.status_code == 403, path
        assert response.headers.get("access-control-allow-origin") is None
    assert "evil" not in browser.get("/v1/tokens").text


def test_no_other_site_may_ask_first(alice: httpx.Client) -> None:
    response = alice.options(
        "/v1/jobs",
        headers={
            "origin": "https://evil.example",
            "access-control-request-method": "POST",
        },
    )
    assert response.status_code in (403, 405)
    assert not [name for name in response.headers if "access-control" in name]


# -- sizes and forms ----------------------------------------------------------------------


def request_bytes(service: ServedService, method: str, path: str, *lines: str) -> bytes:
    token = make_token(service.service, f"raw{len(service.service.tokens.entries())}")
    host = service.url.removeprefix("http://")
    first = (f"{method} {path} HTTP/1.1", f"Host: {host}")
    rest = (f"Authorization: Bearer {token}", *lines, "", "")
    return "\r\n".join((*first, *rest)).encode()


@pytest.mark.parametrize(
    ("lines", "body", "statuses"),
    [
        (("Content-Length: 99999999999",), b"{", (413,)),
        (("Content-Length: -1",), b"{", (400,)),
        (("Content-Length: 2", "Content-Length: 3"), b"{}", (400,)),
        (("Content-Length: 2", "Transfer-Encoding: chunked"), b"0\r\n\r\n", (400,)),
        (("Transfer-Encoding: chunked",), b"100000\r\n" + b"x" * (1 << 20), (413, 0)),
        (("Transfer-Encoding: gzip",), b"{}", (400, 501)),
        (("Content-Length: 5",), b"{", (400, 0)),
        (("X-Long: " + "x" * 40_000,), b"", (400, 431)),
        (tuple(f"X-{number}: y" for number in range(200)), b"", (431,)),
    ],
)
def test_a_body_or_head_out_of_bounds_is_refused(
    service: ServedService,
    lines: tuple[str, ...],
    body: bytes,
    statuses: tuple[int, ...],
) -> None:
    json_type = "Content-Type: application/json"
    sent = request_bytes(service, "POST", "/v1/jobs", json_type, *lines) + body
    if 413 in statuses and body[:1] == b"1":
        sent += b"\r\n100000\r\n" + b"x" * (1 << 20)
    answer = talk(service, sent, ends=b"Content-Length: 5\r\n" in sent)
    assert status_of(answer) in statuses
    with service.client() as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/static/../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/app.py",
        "/static//etc/passwd",
        "/v1/jobs/../../.service/tokens.json",
        "/v1/jobs/%2e%2e%2ftokens.json/logs",
        "/v1/builds/.service",
        "/v1/builds/.service/files/tokens.json",
        "/v1/builds/..%2f.service/files",
        "/v1/builds/%252e%252e/rows",
        "/v1/builds/a%00b",
        "/v1/files/../tokens.json",
        "/v1/files/%2e%2e%2ftokens.json",
        "/v1/tokens/..%2f",
        "//evil.example/v1/info",
        "/v1/builds/" + "a" * 5_000,
        "/v1/builds/%ff%fe",
        "/v1/jobs/0123456789abcdef%0d%0aX-Injected:%20yes",
    ],
)
def test_no_path_leads_out(service: ServedService, path: str) -> None:
    answer = talk(service, request_bytes(service, "GET", path, "Connection: close"))
    assert status_of(answer) in (400, 404, 405, 414, 422)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"root:" not in body
    assert b"sha256" not in body
    assert b"x-injected" not in head.lower()


# -- what a request may ask for -----------------------------------------------------------


def refused(alice: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    for path, sent in (
        ("/v1/jobs", body),
        ("/v1/plans", body),
        ("/v1/previews", {"request": body}),
    ):
        response = alice.post(path, json=sent)
        assert response.status_code in (403, 404, 409, 422), f"{path} {response.text}"
        problem: dict[str, Any] = response.json()
        assert problem["detail"], path
    return problem


@pytest.mark.parametrize(
    "source",
    [
        {"name": "/etc/passwd"},
        {"name": "../../.service/tokens.json"},
        {"name": "file:///etc/passwd"},
        {"name": "http://169.254.169.254/latest/meta-data"},
        {"name": "s3://bucket/key"},
        {"name": "folder:etc/passwd"},
        {"name": "target:../.service"},
        {"name": "target:.service"},
        {"name": "upload:" + "0" * 64 + "/../../x"},
        {"name": "~/.ssh/id_rsa"},
        {"name": "a\x00b"},
    ],
)
def test_a_source_is_no_file_and_no_address_of_this_machine(
    alice: httpx.Client, source: dict[str, Any]
) -> None:
    body = {
        "kind": "generate",
        "target": "stolen",
        "config": {"source": source, "teacher": {"model": "scripted"}},
    }
    refused(alice, body)


@pytest.mark.parametrize(
    "teacher",
    [
        {"model": "m", "endpoints": ["http://169.254.169.254/v1"]},
        {"model": "m", "endpoints": ["http://127.0.0.1:22/v1"]},
        {"model": "m", "endpoints": ["http://llm.lan:8000@evil.example/v1"]},
        {"model": "m", "endpoints": ["http://llm.lan:8000.evil.example/v1"]},
        {"model": "m", "endpoints": ["file:///etc/passwd"]},
        {"model": "m", "endpoints": ["http://llm.lan:8001/v1"]},
        {"model": "/root/model"},
        {"model": "../model"},
        {"model": "m", "server": {"extra_args": ["--trust-remote-code"]}},
        {"model": "m", "server": {"extra_args": ["--chat-template", "/etc/passwd"]}},
    ],
)
def test_a_teacher_is_no_other_address_and_no_argument(
    alice: httpx.Client, teacher: dict[str, Any]
) -> None:
    sha256 = upload(alice, QUESTIONS)
    source = {"name": f"upload:{sha256}/q.jsonl", "kind": "number"}
    config = {"source": source, "teacher": teacher}
    refused(alice, {"kind": "generate", "target": "stolen", "config": config})


@pytest.mark.parametrize(
    "target",
    ["", ".", "..", ".service", "../x", "a/b", "/tmp/x", "a\x00", "-x", "é", "a b"],
)
def test_a_target_is_a_plain_name(alice: httpx.Client, target: str) -> None:
    sha256 = upload(alice, QUESTIONS)
    source = {"name": f"upload:{sha256}/q.jsonl", "kind": "number"}
    config = {"source": source, "teacher": {"model": "scripted"}}
    refused(alice, {"kind": "generate", "target": target, "config": config})


def test_only_listed_repos_are_published_to(alice: httpx.Client) -> None:
    problem = refused(alice, {"kind": "publish", "target": "mine", "repo": "evil/data"})
    assert "evil/data" in json.dumps(problem) or problem["status"] == 404


# -- what comes back ----------------------------------------------------------------------


def test_text_of_others_is_never_a_page(alice: httpx.Client) -> None:
    script = "<script>alert(1)</script>"
    response = alice.post("/v1/jobs", json={"kind": script})
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    page = alice.get(f"/builds/{script}", headers={"accept": "text/html"})
    assert script not in page.text
    assert page.headers["content-type"].startswith("text/html")


def test_no_secret_is_in_an_answer_or_a_log(
    service: ServedService,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    caplog.set_level(logging.DEBUG)
    token = make_token(service.service, "secretive")
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=service.url, headers=headers) as client:
        sha256 = upload(client, QUESTIONS)
        body = {
            "kind": "generate",
            "target": "secrets",
            "api_key_from": "OPENAI_API_KEY",
            "config": {
                "source": {"name": f"upload:{sha256}/q.jsonl", "kind": "number"},
                "teacher": {"model": "m", "endpoints": ["http://llm.lan:8000/v1"]},
            },
        }
        answers = [
            client.post("/v1/jobs", json=body).text,
            client.post("/v1/jobs", json=body | {"api_key_from": "COTBUILD_X"}).text,
            client.get("/v1/jobs").text,
            client.get("/v1/info").text,
            client.get(f"/v1/{token}").text,
        ]
    service_files = [
        path.read_text(errors="replace")
        for path in service.service.settings.folder.rglob("*")
        if path.is_file() and path.stat().st_size < 1 << 20
    ]
    logged = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore"))  # the client's own
    ]
    for text in (*answers, *logged, *service_files):
        assert SECRET not in text
    for text in (*answers[:-1], *logged, *service_files):
        assert token not in text


def test_a_line_break_in_a_request_is_none_in_the_log(
    service: ServedService, alice: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    alice.get(
        "/v1/jobs", headers={"x-request-id": "a\tb"}, params={"target": "a\nFAKE"}
    )
    alice.get("/v1/builds/x%0aFAKE%1b[31m")
    said = "".join(capfd.readouterr())
    assert "\nFAKE" not in said
    assert "\x1b" not in said
    del service
