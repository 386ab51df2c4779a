"""GET /metrics: what it counts, and that no label has a value without bound."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cotbuild.builder.service.jobs.open import open_job_store
from cotbuild.builder.service.jobs.states import AttemptReport
from cotbuild.builder.service.jobs.store import JobStore, NewJob
from cotbuild.builder.service.metrics import OTHER, RequestTimer, ServiceMetrics
from cotbuild.schemas.event import Outcome
from cotbuild.schemas.service.job import JobKind, JobRecord
from tests.support.one_teacher import OneTeacher


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    with closing(open_job_store(f"sqlite:///{tmp_path / 'jobs.sqlite'}")) as store:
        yield store


def samples(metrics: ServiceMetrics) -> dict[str, float]:
    """Return the samples by name and the values of their labels."""
    text = asyncio.run(metrics.render()).decode()
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def add(store: JobStore, target: str) -> JobRecord:
    return store.add(NewJob(JobKind.GENERATE, target, "ann", {}, "digest")).job


def test_jobs_by_state_and_kind_and_how_long_they_waited(
    store: JobStore, tmp_path: Path
) -> None:
    metrics = ServiceMetrics(store, tmp_path)
    assert samples(metrics)["cotbuild_jobs generate queued"] == 0
    done, waiting = add(store, "one"), add(store, "two")
    claimed = store.claim(done.id, "host", 60.0)
    assert claimed is not None
    report = AttemptReport(Outcome.SUCCEEDED, exit_code=0)
    store.end_attempt(done.id, claimed.attempt, report, 3)
    found = samples(metrics)
    assert found["cotbuild_jobs generate succeeded"] == 1
    assert found["cotbuild_jobs generate queued"] == 1
    assert found["cotbuild_queue_seconds_count generate"] == 1
    assert samples(metrics)["cotbuild_queue_seconds_count generate"] == 1
    assert not [name for name in found if waiting.id in name or "ann" in name]


def test_teachers_are_added_up(store: JobStore, tmp_path: Path) -> None:
    found = samples(ServiceMetrics(store, tmp_path, OneTeacher()))
    assert found["cotbuild_teachers up"] == 1
    assert found["cotbuild_teachers failed"] == 0
    assert found["cotbuild_teacher_inflight"] == 3
    assert found["cotbuild_teacher_queued"] == 2
    assert found["cotbuild_teacher_kv_cache_frac"] == 0.5
    assert found["cotbuild_teacher_tokens_per_second"] == 12.0
    assert not [name for name in found if "secret-model" in name]


def test_routes_are_labels_by_their_template(store: JobStore, tmp_path: Path) -> None:
    metrics = ServiceMetrics(store, tmp_path)

    def show(_: object) -> PlainTextResponse:
        return PlainTextResponse("so")

    class NotedRoute(Route):
        """Notes itself, as FastAPI's routes do."""

        async def handle(self, scope, receive, send):  # type: ignore[no-untyped-def]
            scope["route"] = self
            await super().handle(scope, receive, send)

    app = RequestTimer(Starlette(routes=[NotedRoute("/v1/jobs/{id}", show)]), metrics)  # type: ignore[arg-type]

    async def get(path: str, method: str = "GET") -> None:
        async def receive() -> dict[str, object]:
            return {"type": "http.request"}

        async def send(message: object) -> None: ...

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "headers": [],
            "query_string": b"",
        }
        await app(scope, receive, send)

    for path, method in (
        ("/v1/jobs/a", "GET"),
        ("/v1/jobs/b", "GET"),
        ("/no/such", "GET"),
        ("/v1/jobs/c", "INVENTED"),
    ):
        asyncio.run(get(path, method))
    found = samples(metrics)
    assert found["cotbuild_request_seconds_count GET /v1/jobs/{id} 2xx"] == 2
    assert found[f"cotbuild_request_seconds_count GET {OTHER} 4xx"] == 1
    assert found[f"cotbuild_request_seconds_count {OTHER} /v1/jobs/{{id}} 4xx"] == 1
    assert not [name for name in found if "/no/such" in name or "INVENTED" in name]
