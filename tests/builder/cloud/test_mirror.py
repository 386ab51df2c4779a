"""Builds on a store: real runs, killed, gone on from another machine, two at once."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.cloud import build_lease, journals
from cotbuild.builder.cloud.blobs import open_blobs
from cotbuild.builder.cloud.build_lease import BuildLease
from cotbuild.builder.cloud.opening import open_mirror
from cotbuild.builder.cloud.snapshots import SnapshotStore
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.generate.drain import Drain
from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.media import MediaStore
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import PausedError, StoreError
from tests.builder.cloud.conftest import new_place, use_server
from tests.support.commands import cotbuild, invoke, published, write_questions
from tests.support.fault_proxy import run_fault_proxy
from tests.support.http_teacher import Server, free_port, serve
from tests.support.image_builds import write_image_questions
from tests.support.object_stores import SECRET, ObjectServer
from tests.support.pictures import draw_picture
from tests.support.plans import plan_build, take_unit
from tests.support.waiting import HANG_S, wait_until

HASTY = [
    sys.executable,
    str(Path(__file__).parents[2] / "support" / "hasty_store_run.py"),
]
NUM_QUESTIONS = 60


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, as another machine has one."""
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def place(moto: ObjectServer) -> StoreUrl:
    return new_place(moto.scheme)


@pytest.fixture
def teacher() -> Iterator[Server]:
    with serve(latency_s=0.2) as server:
        yield server


def generate_words(source: Path, teacher: Server, out: object) -> list[str]:
    words = ["generate", "--source", source, "--teacher", "fake", "--out", out]
    words += ["--endpoint", teacher.url, "--window", 2]
    return [str(word) for word in words]


def files_of(place: StoreUrl) -> dict[str, int]:
    """The numbers of files below a place, by the first part of their paths."""
    import obstore

    found: dict[str, int] = {}
    for chunk in obstore.list(open_blobs(place).store):
        for entry in chunk:
            first = entry["path"].split("/")[0]
            found[first] = found.get(first, 0) + 1
    return found


def test_a_build_on_a_store_is_the_build_in_a_folder(
    place: StoreUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("generate", "--source", "bundled", "--teacher", "scripted", "--out")
    local = tmp_path / "local"
    invoke(*words, local)
    done = invoke(*words, place)
    assert f"\n{place}  fingerprint " in done.stdout
    assert "no open requests" not in done.stdout
    again = invoke(*words, place)
    assert "the build is up to date" in again.stdout
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "elsewhere"))
    assert "72 already answered, 0 to send" in invoke(*words, place, "--dry-run").output
    shown = invoke("inspect", place, "--limit", "1")
    assert shown.stdout.startswith(f"{place}  fingerprint ")
    invoke("variants", local, "--only", "post_cot")
    invoke("variants", place, "--only", "post_cot")
    assert "verified" in invoke("verify", place).stdout
    (mirror,) = (tmp_path / "elsewhere" / "stores").glob("*-write/build")
    assert published(mirror) == published(local)
    assert "next: cotbuild diff s3://" in invoke("variants", place).stdout


def test_a_run_without_workers_is_refused_while_one_is_at_work(
    place: StoreUrl, tmp_path: Path
) -> None:
    config = BuildConfig.parse({"teacher": {"model": "scripted"}}, "test")
    plan = plan_build(config, tmp_path / "planned")
    assert plan is not None
    board = Board(open_blobs(place.child(".answers/work")))
    board.publish(plan)
    take_unit(board, plan, "node7")
    words = ("generate", "--source", "bundled", "--teacher", "scripted", "--out", place)
    done = invoke(*words, code=1)
    assert f"error: {place}: workers are at work on it: node7. Wait" in done.stderr
    board.send(plan.name, "closed")
    invoke(*words)


def test_only_two_versions_stay_and_a_stale_mirror_takes_the_newest(
    place: StoreUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("generate", "--source", "bundled", "--teacher", "scripted", "--out", place)
    for only in ("post_cot", "label_only", "pre_cot"):
        # Each from a machine of its own.
        monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / only))
        invoke("variants", place, "--only", only)
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    unknown = invoke("diff", place, "post_cot", "pre_cot", code=2)
    assert "no variant 'post_cot'" in unknown.output
    assert files_of(place)["heads"] == 2


@pytest.mark.slow
def test_a_killed_run_goes_on_from_another_machine(
    place: StoreUrl,
    teacher: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was shipped is not asked again, and the rows are those of a whole run."""
    source = write_questions(
        tmp_path / "q.jsonl", (f"Does {n} float?" for n in range(NUM_QUESTIONS))
    )
    words = generate_words(source, teacher, place)
    # However late answers are shipped, the run is not over before.
    teacher.set(hang_after=NUM_QUESTIONS // 2)
    answers = open_blobs(place.child(".answers"))
    process = subprocess.Popen([*HASTY, *words], start_new_session=True)
    try:
        wait_until(
            lambda: (
                sum(blob.num_bytes for blob in answers.list("gen-0001")) > 3_000
                or process.poll() is not None
            )
        )
        assert process.poll() is None, "it was over too soon"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(HANG_S)
    assert "heads" not in files_of(place)
    teacher.set(hang_after=None)
    num_before = teacher.stats()["requests"]
    shipped = sum(blob.num_bytes for blob in answers.list("gen-0001"))

    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "elsewhere"))
    done = subprocess.run(
        [*HASTY, *words], capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr
    assert "to see whether that run is alive" in done.stderr
    num_after = teacher.stats()["requests"] - num_before
    assert shipped > 0
    assert num_after < NUM_QUESTIONS
    local = tmp_path / "local"
    cotbuild(*generate_words(source, teacher, local))
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "third"))
    assert f"{NUM_QUESTIONS} rationales" in invoke("inspect", place).stdout


@pytest.mark.slow
def test_a_killed_run_goes_on_here_at_once_and_loses_nothing(
    place: StoreUrl, teacher: Server, tmp_path: Path
) -> None:
    source = write_questions(
        tmp_path / "q.jsonl", (f"Does {n} sink?" for n in range(NUM_QUESTIONS))
    )
    words = generate_words(source, teacher, place)
    process = subprocess.Popen([*HASTY, *words], start_new_session=True)
    wait_until(lambda: teacher.stats()["requests"] >= 10)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(HANG_S)
    done = subprocess.run(
        [*HASTY, *words], capture_output=True, text=True, timeout=HANG_S
    )
    assert done.returncode == 0, done.stderr
    assert "alive" not in done.stderr
    # Only what was under way is asked twice.
    assert teacher.stats()["requests"] <= NUM_QUESTIONS + 2


@pytest.mark.slow
def test_a_second_driver_is_refused(
    place: StoreUrl,
    teacher: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = write_questions(
        tmp_path / "q.jsonl", (f"Does {n} swim?" for n in range(NUM_QUESTIONS))
    )
    words = generate_words(source, teacher, place)
    monkeypatch.setenv("HASTY_LEASE_S", "30")
    teacher.set(held=True)
    process = subprocess.Popen([*HASTY, *words], start_new_session=True)
    try:
        wait_until(lambda: teacher.stats()["requests"] >= 2)
        same_machine = subprocess.run([*HASTY, *words], capture_output=True, text=True)
        assert same_machine.returncode == 1
        assert (
            "in use by another cotbuild process on this machine" in same_machine.stderr
        )
        monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "elsewhere"))
        other = subprocess.run([*HASTY, *words], capture_output=True, text=True)
        assert other.returncode == 1
        assert "in use by another cotbuild run" in other.stderr
        teacher.set(held=False)
        assert process.wait(HANG_S) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert teacher.stats()["requests"] == NUM_QUESTIONS


def test_a_run_whose_build_was_taken_over_is_drained(
    place: StoreUrl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build_lease, "LEASE_S", 0.3)
    monkeypatch.setattr(journals, "SHIP_EVERY_S", 0.1)
    monkeypatch.setattr(journals, "_LOOK_EVERY_S", 0.1)
    drain, printed = Drain(), ""

    def has_reported() -> bool:
        nonlocal printed
        printed += capsys.readouterr().err
        return "answers are kept on this disk alone for now" in printed

    def run() -> None:
        with open_mirror(place, Terminal(), on_lost=drain.request) as mirror:
            other = BuildLease(mirror.answers, "other", print, lease_s=600.0)
            assert other._create(900_000, is_released=False)
            wait_until(lambda: drain.is_requested and has_reported())
            raise PausedError("drained", "drained")

    with pytest.raises(StoreError, match="'other' took the build over"):
        run()


def test_pictures_are_shipped_and_brought(
    place: StoreUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_mirror(place, Terminal()) as mirror:
        image = MediaStore(mirror.folder / "media").put(draw_picture())
        state = mirror.folder / ".answers" / "teacher.json"
        state.parent.mkdir(exist_ok=True)
        state.write_text("{}")
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "elsewhere"))
    with open_mirror(place, Terminal()) as mirror:
        assert MediaStore(mirror.folder / "media").read(image) == draw_picture()
        assert (mirror.folder / ".answers" / "teacher.json").read_text() == "{}"
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "third"))
    open_blobs(place).write(f"media/{image.file_name}", b"other bytes")
    with (
        pytest.raises(StoreError, match="not those that its name says"),
        open_mirror(place, Terminal()),
    ):
        pass


def test_a_build_with_pictures_is_read_and_published_in_two_versions(
    place: StoreUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_image_questions(tmp_path / "questions", "train", range(4))
    words = ("generate", "--source", source, "--teacher", "scripted", "--out", place)
    invoke(*words)
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "reader"))
    released = place._replace(prefix=place.prefix + "-released")
    invoke("publish", place, released)
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "another"))
    invoke("variants", place, "--only", "post_cot")
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "reader"))
    assert "4 rationales" in invoke("inspect", place).stdout
    invoke("publish", place, released)
    assert "verified" in invoke("verify", released).stdout


def test_a_build_that_was_deleted_and_built_anew_is_brought_anew(
    place: StoreUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore

    def build(text: str) -> None:
        monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "writer"))
        source = write_questions(tmp_path / "q.jsonl", [text])
        words = ("--teacher", "scripted", "--out", place)
        invoke("generate", "--source", source, *words)
        monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "reader"))
        assert text in invoke("inspect", place).stdout

    build("Does a stone float?")
    for blobs in (open_blobs(place), open_blobs(place.child(".answers"))):
        for blob in blobs.list(""):
            obstore.delete(blobs.store, blob.path)
    shutil.rmtree(tmp_path / "writer")
    build("Does a cork sink?")
    newest = SnapshotStore(open_blobs(place)).newest()
    assert newest is not None
    assert newest.number == 1


def test_a_run_goes_on_while_the_store_fails_now_and_then(
    place: StoreUrl,
    moto: ObjectServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    with run_fault_proxy(port, moto.port) as proxy:
        use_server(moto, monkeypatch, port)
        proxy.shares = {
            "drop_before": 0.05,
            "drop_after": 0.05,
            "http_503": 0.05,
            "torn_request": 0.03,
            "torn_answer": 0.03,
        }
        words = ("generate", "--source", "bundled", "--teacher", "scripted", "--out")
        invoke(*words, place)
        proxy.shares = {}
        assert proxy.made.total() > 0
        assert "verified" in invoke("verify", place).stdout


def test_a_store_that_is_gone_is_one_line_and_nothing_is_lost(
    place: StoreUrl, moto: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("generate", "--source", "bundled", "--teacher", "scripted", "--out", place)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    gone = cotbuild(*words, code=1)
    assert "the connection failed. Check the connection" in gone.stderr
    assert SECRET not in gone.stdout + gone.stderr
    use_server(moto, monkeypatch)
    invoke(*words)
    newest = SnapshotStore(open_blobs(place)).newest()
    assert newest is not None
    assert newest.number == 1


def test_readers_do_not_wait_for_each_other_and_say_whom_they_wait_for(
    place: StoreUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    def read() -> None:
        with open_mirror(place, Terminal(), "read") as mirror:
            read_versions.append(published(mirror.folder))

    read_versions: list[object] = []
    invoke("generate", "--source", "bundled", "--teacher", "scripted", "--out", place)
    with open_mirror(place, Terminal(), "read"):
        read()  # in one process it would wait forever for itself
        invoke("variants", place, "--only", "post_cot")
        capsys.readouterr()
        printed = ""

        def is_waiting() -> bool:
            nonlocal printed
            printed += capsys.readouterr().err
            return "waiting for another cotbuild process" in printed

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        wait_until(is_waiting)
        assert len(read_versions) == 1
    reader.join(HANG_S)
    first, second = read_versions
    assert first != second


@pytest.mark.parametrize("command", ["inspect", "diff"])
def test_no_build_there_is_one_line(place: StoreUrl, command: str) -> None:
    names = ["a", "b"] if command == "diff" else []
    done = invoke(command, place, *names, code=1)
    assert f"{place}: no finished build there" in done.output


def test_credentials_in_an_out_are_refused_unseen() -> None:
    done = invoke(
        *("generate", "--source", "bundled", "--teacher", "scripted"),
        *("--out", "s3://KEY:hunter2@bucket/a"),
        code=2,
    )
    assert "read from the environment" in done.output
    assert "hunter2" not in done.output
