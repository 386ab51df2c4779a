"""GET /v1/teachers and GET /metrics: what each role sees of the jobs of others."""

from pathlib import Path

from cotbuild.builder.service.app import create_app
from cotbuild.builder.service.jobs.store import NewJob
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.principal import Role
from cotbuild.schemas.service.teacher import TeacherJob
from tests.support.one_teacher import OneTeacher
from tests.support.services import IdleRunner, ServedService, idle_service
from tests.support.web_servers import serving


def test_a_runner_sees_the_teachers_of_its_own_jobs(tmp_path: Path) -> None:
    service = idle_service(tmp_path)
    job = service.store.add(NewJob(JobKind.GENERATE, "b", "ann", {}, "digest")).job
    assert isinstance(service.runner, IdleRunner)
    service.runner.teachers = OneTeacher(TeacherJob(id=job.id, owner="ann"))
    with serving(create_app(service)) as server:
        served = ServedService(service, server.url)
        with (
            served.client("ann") as ann,
            served.client("bob") as bob,
            served.client("eve", Role.VIEWER) as viewer,
            served.client("root", Role.ADMIN) as admin,
        ):
            [own] = ann.get("/v1/teachers").json()["teachers"]
            assert [one["id"] for one in own["jobs"]] == [job.id]
            assert bob.get("/v1/teachers").json()["teachers"] == []
            [seen] = viewer.get("/v1/teachers").json()["teachers"]
            assert len(seen["jobs"]) == 1
            # Lines hold paths of the machine.
            assert own["lines"] == seen["lines"] == []
            assert admin.get("/v1/teachers").json()["teachers"][0]["lines"]


def test_the_figures_are_for_who_reads_everything(tmp_path: Path) -> None:
    service = idle_service(tmp_path)
    with serving(create_app(service)) as server:
        served = ServedService(service, server.url)
        with (
            served.client("ann") as ann,
            served.client("eve", Role.VIEWER) as viewer,
            served.client() as nobody,
        ):
            assert nobody.get("/metrics").status_code == 401
            refused = ann.get("/metrics")
            assert (refused.status_code, refused.json()["code"]) == (403, "wrong_role")
            shown = viewer.get("/metrics")
    assert shown.headers["content-type"].startswith("text/plain; version=")
    assert 'cotbuild_jobs{kind="generate",state="queued"} 0.0' in shown.text
    assert 'route="/metrics"' in shown.text, "those before are counted"
