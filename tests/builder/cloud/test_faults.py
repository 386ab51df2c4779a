"""Networks that fail: what is written is found out to be ours, errors hold no secret."""

from collections.abc import Callable, Iterator
from pathlib import Path
from traceback import format_exception

import pytest

from cotbuild.builder.cloud.blobs import ObjectBlobs
from cotbuild.builder.cloud.client import Limits
from cotbuild.builder.cloud.files import PART_BYTES, StoreFiles
from cotbuild.builder.cloud.journals import JournalCopies
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.files import file_sha256
from tests.builder.cloud.conftest import new_place, use_server
from tests.support.fault_proxy import PASSING_FAULTS, Fault, FaultProxy, run_fault_proxy
from tests.support.http_teacher import free_port
from tests.support.object_stores import QUICK, SECRET, ObjectServer

HOPELESS: Limits = QUICK._replace(tries=2)


@pytest.fixture(params=["moto", "localbucket"])
def proxy(
    request: pytest.FixtureRequest,
    find_server: Callable[[str], ObjectServer],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[FaultProxy]:
    """A proxy to a server, through which the environment leads."""
    server = find_server(request.param)
    port = free_port()
    with run_fault_proxy(port, server.port) as proxy:
        use_server(server, monkeypatch, port)
        yield proxy


@pytest.mark.parametrize("fault", PASSING_FAULTS)
def test_a_create_succeeds_once_whatever_fails(proxy: FaultProxy, fault: Fault) -> None:
    blobs = ObjectBlobs(new_place(), QUICK)
    proxy.methods = frozenset({"PUT"})
    proxy.next_faults = [fault, fault]
    data = b"mine" * 1000
    assert blobs.create("lease", data)
    # The answer to a write has no body to tear.
    is_noticed = fault not in ("slow", "torn_answer")
    assert proxy.made[fault] == (2 if is_noticed else 1)
    proxy.next_faults = [fault]
    assert not blobs.create("lease", b"somebody else's")
    proxy.next_faults = []
    assert blobs.read("lease") == data


@pytest.mark.parametrize("fault", PASSING_FAULTS)
def test_reads_lists_and_deletes_go_over_a_fault(
    proxy: FaultProxy, fault: Fault
) -> None:
    blobs = ObjectBlobs(new_place(), QUICK)
    blobs.write("a/b", b"x" * 10_000)
    proxy.next_faults = [fault]
    assert blobs.read("a/b") == b"x" * 10_000
    proxy.next_faults = [fault]
    assert [blob.path for blob in blobs.list("a")] == ["a/b"]
    proxy.next_faults = [fault]
    blobs.write("a/b", b"y")
    proxy.next_faults = [fault]
    blobs.delete("a/b")
    assert blobs.read("a/b") is None


def test_files_in_parts_arrive_whole_or_not_at_all(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    blobs = ObjectBlobs(new_place(), QUICK)
    files = StoreFiles(blobs)
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * (PART_BYTES // 100))
    proxy.next_faults = ["drop_before", "drop_after", "http_503", "torn_request"]
    files.upload("large", large)
    size, sha256 = large.stat().st_size, file_sha256(large)
    assert size > 2 * PART_BYTES
    proxy.next_faults = ["torn_answer", "http_503", "drop_after"]
    files.download("large", tmp_path / "copy", size, sha256)
    assert (tmp_path / "copy").read_bytes() == large.read_bytes()
    with pytest.raises(StoreError, match="not 000000000000 as listed"):
        files.download("large", tmp_path / "other", size, "0" * 64)
    with pytest.raises(StoreError, match="fewer than"):
        files.download("large", tmp_path / "other", size + 1, sha256)
    with pytest.raises(StoreError, match="it is not there"):
        files.download("nothing", tmp_path / "other", 1, sha256)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "large"]


@pytest.mark.parametrize("fault", ["drop_before", "http_503"])
def test_what_fails_for_good_is_one_line_without_a_secret(
    proxy: FaultProxy, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"token-{SECRET}")
    # A server that quotes what it was sent.
    proxy.error_body = f"<Error><Code>{SECRET}</Code>{SECRET}</Error>".encode()
    blobs = ObjectBlobs(new_place(), HOPELESS)
    blobs.write("a", b"x" * 100)
    proxy.shares = {fault: 1.0}
    for act in (
        lambda: blobs.read("a"),
        lambda: list(blobs.list("")),
        lambda: blobs.create("b", b"1"),
    ):
        assert_fails_in_one_line(act)


def assert_fails_in_one_line(act: Callable[[], object]) -> None:
    with pytest.raises(StoreError) as caught:
        act()
    report = "".join(format_exception(caught.value))
    assert SECRET not in report
    assert "AKIATEST" not in report
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.__context__ is None or SECRET not in str(
        caught.value.__context__
    )


@pytest.mark.parametrize("fault", ["http_409", "http_412"])
def test_a_conflict_that_nobody_expects_is_one_line_too(
    proxy: FaultProxy, fault: Fault, tmp_path: Path
) -> None:
    proxy.error_body = f"<Error><Code>Odd</Code>{SECRET}</Error>".encode()
    blobs = ObjectBlobs(new_place(), HOPELESS)
    files = StoreFiles(blobs)
    blobs.write("a", b"x" * 100)
    local = tmp_path / "local"
    local.write_bytes(b"1")
    proxy.shares = {fault: 1.0}
    for act in (
        lambda: blobs.read("a"),
        lambda: blobs.write("a", b"1"),
        lambda: blobs.delete("a"),
        lambda: list(blobs.list("")),
        lambda: files.upload("b", local),
        lambda: files.copy("a", "b"),
        lambda: files.read_range("a", 0, 10),
    ):
        assert_fails_in_one_line(act)


@pytest.mark.parametrize(
    ("fault", "code", "is_taken"),
    [
        ("http_412", "PreconditionFailed", True),
        ("http_409", "BlobAlreadyExists", True),
        ("http_409", "ConditionalRequestConflict", False),
        ("http_409", "OperationAborted", False),
    ],
)
def test_a_create_tells_a_file_that_exists_from_a_conflict(
    proxy: FaultProxy, fault: Fault, code: str, is_taken: bool
) -> None:
    proxy.error_body = f"<Error><Code>{code}</Code></Error>".encode()
    blobs = ObjectBlobs(new_place(), QUICK)
    proxy.next_faults = [fault]
    assert blobs.create("a", b"1") == (not is_taken)
    assert blobs.read("a") == (None if is_taken else b"1")


@pytest.mark.usefixtures("moto")
def test_a_bucket_that_is_not_there_is_named() -> None:
    blobs = ObjectBlobs(StoreUrl("s3", "no-such-bucket", "a"), QUICK)
    for act in (
        lambda: blobs.create("a", b""),
        lambda: blobs.write("a", b""),
        lambda: list(blobs.list("")),
        lambda: blobs.read("a"),
    ):
        with pytest.raises(StoreError, match="there is no such bucket"):
            act()


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AWS_ALLOW_HTTP", "", "AWS_ALLOW_HTTP=true would allow"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "the connection failed"),
    ],
)
@pytest.mark.usefixtures("moto")
def test_settings_that_do_not_work_are_named(
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises((StoreError, ConfigError), match=message):
        ObjectBlobs(new_place(), HOPELESS).read("a")


def test_a_segment_whose_answers_were_all_lost_is_not_another_run_s(
    proxy: FaultProxy, tmp_path: Path
) -> None:
    store = AnswerStore(tmp_path / "here")
    store.start_generation()
    path = store.generations[-1] / "a.journal"
    path.write_bytes(b"1\n")
    copies = JournalCopies(ObjectBlobs(new_place(), HOPELESS), store)
    proxy.next_faults = ["drop_after"] * HOPELESS.tries
    with pytest.raises(StoreError, match="the connection failed"):
        copies.ship()
    with path.open("ab") as file:
        file.write(b"2\n")
    assert copies.ship() == 4
    assert copies.num_unshipped == 0
