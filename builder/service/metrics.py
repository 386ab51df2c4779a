"""The figures of a service for Prometheus, at GET /metrics.

Labels have few values: states, kinds, verdicts, routes by their template. No job, owner,
build or question is one.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cotbuild.builder.service.job_figures import JobFigures
from cotbuild.builder.service.jobs.store import JobFilter, JobStore
from cotbuild.builder.service.teachers.pool import TeacherPool
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.service.job import JobKind, JobRecord, JobState
from cotbuild.schemas.service.teacher import TeacherState, TeacherStatus

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
SCAN_S: Final = 10.0
"""Time between two looks at the jobs where nobody asks for the figures."""
MAX_RUNNING: Final = 1000
MAX_RECENT: Final = 200
"""The newest jobs are looked at too: they may have ended since the last time."""
MAX_REMEMBERED: Final = 20_000
REQUEST_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
QUEUE_BUCKETS_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 43_200.0)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
OTHER: Final = "other"

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ServiceMetrics:
    """The figures of one service.

    Counters begin at 0 with the server, and grow with what jobs do from then on.

    Args:
        store: The table of jobs.
        jobs_folder: Folder with one folder a job.
        teachers: The pool; None where there is none.
    """

    def __init__(
        self, store: JobStore, jobs_folder: Path, teachers: TeacherPool | None = None
    ) -> None:
        since = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._since = since.replace("+00:00", "Z")
        self._store = store
        self._teachers = teachers
        self._figures = JobFigures(jobs_folder, self._since)
        self._started: OrderedDict[str, None] = OrderedDict()
        self._scanning = asyncio.Lock()
        self.registry = CollectorRegistry()
        self._request_seconds = Histogram(
            "cotbuild_request_seconds",
            "Time until the response to a request of the API or a page began.",
            ["method", "route", "status"],
            buckets=REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._queue_seconds = Histogram(
            "cotbuild_queue_seconds",
            "Time from the submission of a job to its first start.",
            ["kind"],
            buckets=QUEUE_BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(_Collector(self._collect))

    async def watch(self) -> None:
        """Look at the jobs now and then, so that short ones count too."""
        while True:
            # The next look finds what this one could not read.
            with contextlib.suppress(StoreError, OSError):
                await self.scan()
            await asyncio.sleep(SCAN_S)

    async def scan(self) -> None:
        """Read what the jobs have done since the last time."""
        async with self._scanning:
            await asyncio.to_thread(self._scan)

    async def render(self) -> bytes:
        """Return the figures as text, of CONTENT_TYPE. Raises StoreError."""
        await self.scan()
        return await asyncio.to_thread(generate_latest, self.registry)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request to the service.

        Args:
            method: The HTTP method.
            route: The template of the path, such as /v1/jobs/{job_id}.
            status: The status of the response.
            seconds: Time until the response began.
        """
        shown_method = method if method in METHODS else OTHER
        self._request_seconds.labels(shown_method, route, f"{status // 100}xx").observe(
            seconds
        )

    # -- jobs ------------------------------------------------------------------

    def _scan(self) -> None:
        jobs = self._list_jobs()
        for job in jobs:
            self._observe_start(job)
        self._figures.scan(jobs)

    def _list_jobs(self) -> Sequence[JobRecord]:
        """Return the jobs that run, and the newest ones."""
        states = (JobState.RUNNING, JobState.CANCELLING)
        running = self._store.list_jobs(JobFilter(states), limit=MAX_RUNNING)
        recent = self._store.list_jobs(limit=MAX_RECENT)
        return list({job.id: job for job in (*running, *recent)}.values())

    def _observe_start(self, job: JobRecord) -> None:
        """Count how long a job waited, once, if it was first started under this server."""
        if job.started_at is None or job.id in self._started:
            return
        self._started[job.id] = None
        while len(self._started) > MAX_REMEMBERED:
            self._started.popitem(last=False)
        if job.attempt == 1 and job.started_at >= self._since:
            waited = _parse(job.started_at) - _parse(job.created_at)
            seconds = max(waited.total_seconds(), 0.0)
            self._queue_seconds.labels(job.kind.value).observe(seconds)

    # -- families --------------------------------------------------------------

    def _collect(self) -> Iterator[Metric]:
        yield self._count_jobs()
        yield _gauge(
            "cotbuild_inflight",
            "Requests to teachers under way, of all jobs that run here.",
            self._figures.in_flight,
        )
        figures = self._figures.figures
        yield _counter(
            "cotbuild_requests",
            "Requests to teachers that jobs have made.",
            "outcome",
            {"completed": 0, "failed": 0} | figures.requests,
        )
        yield _counter(
            "cotbuild_tokens",
            "Tokens of those requests.",
            "type",
            {"prompt": 0, "completion": 0} | figures.tokens,
        )
        yield _counter(
            "cotbuild_verdicts",
            "Chains that jobs have finished, by verdict.",
            "verdict",
            figures.verdicts,
        )
        if self._teachers is not None:
            yield from _collect_teachers(self._teachers.status())

    def _count_jobs(self) -> Metric:
        family = GaugeMetricFamily(
            "cotbuild_jobs", "Jobs in the table.", labels=("state", "kind")
        )
        counts = self._store.count_by_kind()
        for kind in JobKind:
            for state in JobState:
                count = counts.get((kind, state), 0)
                family.add_metric((state.value, kind.value), count)
        return family


class _Collector:
    """A collector of prometheus_client that asks a function."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        """Return the families with their newest values."""
        return self._collect()

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering collects nothing."""
        return ()


class RequestTimer:
    """Pure ASGI middleware that times requests until their response begins.

    A stream of events thus counts by its start, and not by how long it was watched.
    """

    def __init__(self, app: App, metrics: ServiceMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - started_s
                self._metrics.observe(
                    scope["method"], route_of(scope), message["status"], seconds
                )
            await send(message)

        await self._app(scope, receive, send_timed)


def route_of(scope: Scope) -> str:
    """Return the template of the path that a request was routed by.

    "other" where none was, so that paths that somebody tries are no labels.
    """
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and path else OTHER


def _collect_teachers(teachers: Sequence[TeacherStatus]) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "cotbuild_teachers", "Teachers of the service.", labels=("state",)
    )
    for state in TeacherState:
        count = sum(teacher.state == state for teacher in teachers)
        states.add_metric((state.value,), count)
    yield states
    # Few at a time, and their models are the administrator's to choose: no label but
    # the sum over all of them.
    yield _gauge(
        "cotbuild_teacher_inflight",
        "Requests at the servers of teachers.",
        sum(teacher.in_flight for teacher in teachers),
    )
    yield _gauge(
        "cotbuild_teacher_queued",
        "Requests of jobs that wait for a slot of a teacher.",
        sum(teacher.queued for teacher in teachers),
    )
    loads = [teacher.load for teacher in teachers if teacher.load is not None]
    rates = [load.tokens_per_s for load in loads if load.tokens_per_s is not None]
    yield _gauge(
        "cotbuild_teacher_tokens_per_second", "Tokens generated per second.", sum(rates)
    )
    used = [load.kv_cache_frac for load in loads if load.kv_cache_frac is not None]
    yield _gauge(
        "cotbuild_teacher_kv_cache_frac",
        "Share of the KV cache in use, of the fullest teacher.",
        max(used, default=0.0),
    )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in sorted(values.items()):
        family.add_metric((value,), count)
    return family


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text)
