"""What jobs have done, from the events of their processes."""

from pathlib import Path

from cotbuild.builder.service.job_figures import JobFigures
from cotbuild.schemas.event import Event, ProgressEvent, StartedEvent
from cotbuild.schemas.service.job import JobKind, JobRecord, JobState

SINCE = "2026-01-02T00:00:00.000Z"
BEFORE, AFTER = "2026-01-01T00:00:00.000Z", "2026-01-03T00:00:00.000Z"


def job(number: int, at: str, state: JobState = JobState.RUNNING) -> JobRecord:
    return JobRecord(
        id=f"{number:016}",
        kind=JobKind.GENERATE,
        target="b",
        owner="ann",
        request={},
        request_digest="",
        state=state,
        created_at=at,
    )


def started(at: str) -> StartedEvent:
    return StartedEvent(at=at, command="generate", pid=1, host="h", cotbuild="1")


def progress(requests: int, failed: int = 0, unit: str = "chains") -> ProgressEvent:
    return ProgressEvent(
        at=AFTER,
        unit=unit,
        done=requests,
        total=100,
        requests=requests,
        failed=failed,
        prompt_tokens=10 * requests,
        completion_tokens=20 * requests,
        verdicts={"correct": requests - failed, "made up": 3},
        in_flight=4,
    )


def append(folder: Path, job: JobRecord, *events: Event) -> None:
    log = folder / job.id / "events.jsonl"
    log.parent.mkdir(exist_ok=True)
    with log.open("a") as file:
        for event in events:
            file.write(event.model_dump_json() + "\n")


def test_runs_of_a_job_add_up(tmp_path: Path) -> None:
    figures, one = JobFigures(tmp_path, SINCE), job(1, AFTER)
    append(tmp_path, one, started(AFTER), progress(3), progress(5, failed=1))
    figures.scan([one])
    assert figures.figures.requests == {"completed": 4, "failed": 1}
    assert figures.figures.tokens == {"prompt": 50, "completion": 100}
    assert figures.figures.verdicts["correct"] == 4
    assert "made up" not in figures.figures.verdicts
    assert figures.in_flight == 4
    figures.scan([one])
    assert figures.figures.requests.total() == 5, "nothing is counted twice"
    # A process that was killed, and the next one; and what is not asking.
    append(tmp_path, one, started(AFTER), progress(2), progress(50, unit="rationales"))
    figures.scan([one])
    assert figures.figures.requests.total() == 7


def test_what_an_earlier_server_saw_is_left_out(tmp_path: Path) -> None:
    figures = JobFigures(tmp_path, SINCE)
    adopted, resumed = job(1, BEFORE), job(2, BEFORE)
    append(tmp_path, adopted, started(BEFORE), progress(30))
    append(
        tmp_path, resumed, started(BEFORE), progress(30), started(AFTER), progress(4)
    )
    figures.scan([adopted, resumed])
    assert figures.figures.requests.total() == 4
    append(tmp_path, adopted, progress(31))
    figures.scan([adopted, resumed])
    assert figures.figures.requests.total() == 5


def test_only_jobs_that_run_have_requests_under_way(tmp_path: Path) -> None:
    figures = JobFigures(tmp_path, SINCE)
    over, silent = job(1, AFTER, JobState.PAUSED), job(2, AFTER)
    append(tmp_path, over, started(AFTER), progress(1))
    figures.scan([over, silent])
    assert figures.in_flight == 0
    assert figures.figures.requests.total() == 1
