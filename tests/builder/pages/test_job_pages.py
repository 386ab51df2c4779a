"""The pages of jobs over jobs in memory: what they show, and what their buttons do."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.pages.jobs_source import JobAction
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.service.api import FailureLine
from cotbuild.schemas.service.job import JobState, StopMode
from cotbuild.schemas.service.principal import Role
from cotbuild.schemas.service.requests import GenerateRequest
from cotbuild.schemas.service.tokens import TokenView
from tests.support.browser import Chromium
from tests.support.fake_jobs import (
    ADMIN,
    AT,
    RUNNER,
    VIEWER,
    FakeJobs,
    ServedJobs,
    a_teacher,
    job_id,
    jobs_of_all_states,
    running_job,
    served_jobs,
)

FORM = {
    "kind": "generate",
    "target": "mine",
    "config.source.name": "bundled",
    "config.teacher.model": "scripted",
}
PAGES = (
    "/jobs",
    f"/jobs/{job_id(1)}",
    f"/jobs/{job_id(4)}",
    f"/jobs/{job_id(7)}",
    "/new",
    "/new?kind=study",
    "/teachers",
    "/settings",
)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedJobs]:
    failure = FailureLine(
        request_key="0" * 64,
        question_id="q<1>",
        code="rejected",
        message="400: <i>too long</i>",
        is_final=True,
    )
    jobs = FakeJobs(
        {job.id: job for job in jobs_of_all_states()},
        people={"cot_rob": RUNNER},
        teachers=(a_teacher(),),
        failures=(failure,),
        tokens=[TokenView(name="rob", role=Role.RUNNER, created_at=AT)],
    )
    with served_jobs(tmp_path, jobs) as service:
        yield service


def text_of(page: str) -> str:
    """Return what a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_list_says_where_each_job_is(served: ServedJobs) -> None:
    with served.client() as client:
        text = text_of(client.get("/jobs").text)
        some = client.get("/jobs?state=paused&state=failed&kind=&owner=").text
    assert "asking · 1,234 of 5,000 requests · 4:50 to 5:31 left" in text
    assert "2 jobs before it" in text
    assert "paused budget" in text
    assert [job_id(number) in some for number in (1, 4, 7)] == [False, True, True]


def test_the_page_of_a_job_shows_what_is_known(served: ServedJobs) -> None:
    with served.client() as client:
        page = client.get(f"/jobs/{job_id(1)}").text
    text = text_of(page)
    for shown in (
        "1,234 of 5,000 requests · 3 failed · 812 tokens/s · 64 in flight · 1 of 2 servers",
        "correct 900 incorrect 300 no answer 34",
        "Cost 1.2500",
        "Not paid again 40 requests, 8,000 tokens",
        "server 2 is down: &lt;b&gt;refused&lt;/b&gt; \\u202e",
        "&lt;script&gt;alert(1)",
    ):
        assert shown in text
    assert "<script>alert" not in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    ("number", "query", "is_read"),
    [
        (1, "", False),
        (1, "?failures=true", True),
        (2, "", False),
        (4, "", True),
        (5, "", False),
        (6, "", True),
        (7, "", True),
        (9, "", False),
    ],
)
def test_failures_are_read_where_the_page_does_not_follow_the_job(
    served: ServedJobs, number: int, query: str, is_read: bool
) -> None:
    served.jobs.jobs[job_id(9)] = running_job(9, state=JobState.SUCCEEDED)
    with served.client() as client:
        page = client.get(f"/jobs/{job_id(number)}{query}").text
    assert ("400: &lt;i&gt;too long&lt;/i&gt;" in page) is is_read
    assert served.jobs.failures_read == [job_id(number)] * is_read
    assert not (is_read and "data-refresh" in page)
    assert ("Follow it again" in page) is bool(query)


def test_a_damaged_journal_is_named_on_the_page_of_its_job(served: ServedJobs) -> None:
    served.jobs.journal_fault = StoreError("demo/.answers/a.journal: damaged <line>.")
    with served.client() as client:
        response = client.get(f"/jobs/{job_id(7)}")
    assert response.status_code == 200
    assert "could not be read: demo/.answers/a.journal: damaged &lt;line" in (
        response.text
    )


@pytest.mark.parametrize(
    ("number", "buttons"),
    [
        (1, ["Pause", "Cancel"]),
        (2, ["Pause", "Cancel"]),
        (4, ["Cancel", "Resume"]),
        (5, ["Do not wait for requests in flight"]),
        (6, ["Retry failed requests", "Delete the record"]),
        (7, ["Run again", "Delete the record"]),
    ],
)
def test_a_job_has_the_buttons_of_its_state(
    served: ServedJobs, number: int, buttons: list[str]
) -> None:
    with served.client() as client:
        main = client.get(f"/jobs/{job_id(number)}").text.partition("<main")[2]
    found = re.findall(r'type="submit"[^>]*>([^<]+)<', main)
    assert found == buttons


def test_only_who_may_change_a_job_sees_buttons(served: ServedJobs) -> None:
    with served.client(VIEWER) as client:
        page = client.get(f"/jobs/{job_id(1)}").text
        assert "/pause" not in page
        assert client.get("/new").status_code == 403
    with served.client(RUNNER) as client:
        assert "/pause" in client.get(f"/jobs/{job_id(1)}").text
        assert client.post("/settings/tokens", data={"name": "x"}).status_code == 403


def test_a_button_acts_and_shows_the_job(served: ServedJobs) -> None:
    with served.client() as client:
        for action, data in (
            ("pause", {}),
            ("cancel", {"mode": "now"}),
            ("retry", {"failed": "true"}),
        ):
            response = client.post(f"/jobs/{job_id(1)}/{action}", data=data)
            assert response.headers["location"] == f"/jobs/{job_id(1)}"
        gone = client.post(f"/jobs/{job_id(7)}/delete")
        assert gone.headers["location"] == "/jobs"
        assert client.get(f"/jobs/{job_id(7)}").status_code == 404
        assert client.post(f"/jobs/{job_id(1)}/explode").status_code == 422
    assert [act[1:] for act in served.jobs.acts] == [
        (JobAction.PAUSE, StopMode.DRAIN, None, False),
        (JobAction.CANCEL, StopMode.NOW, None, False),
        (JobAction.RETRY, StopMode.DRAIN, None, True),
        (JobAction.DELETE, StopMode.DRAIN, None, False),
    ]


def test_a_budget_is_raised_where_a_job_is_resumed(served: ServedJobs) -> None:
    with served.client() as client:
        data = {"max_requests": "2,000", "max_cost": ""}
        client.post(f"/jobs/{job_id(4)}/resume", data=data)
        wrong = client.post(f"/jobs/{job_id(4)}/resume", data={"max_cost": "much"})
    assert served.jobs.acts[-1][3] == Budget(max_requests=2000)
    assert wrong.status_code == 422
    assert "max_cost is 'much'" in wrong.text.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"max_requests": "-5"}, "budget: max_requests is -5"),
        ({"max_cost": "nan"}, "budget: max_cost is nan"),
        ({"max_cost": "3"}, "budget: max_cost is set without a price"),
    ],
)
def test_a_budget_that_is_none_is_refused_in_one_line(
    served: ServedJobs, typed: dict[str, str], reason: str
) -> None:
    served.jobs.jobs[job_id(4)] = running_job(
        4, state=JobState.PAUSED, request={"kind": "generate", "target": "demo"}
    )
    with served.client() as client:
        refused = client.post(f"/jobs/{job_id(4)}/resume", data=typed)
    assert refused.status_code == 422
    assert reason in text_of(refused.text)
    assert served.jobs.acts == []


@pytest.mark.parametrize(
    "path", ["/jobs/x/pause", "/new", "/settings/tokens", "/logout"]
)
def test_another_site_can_change_nothing(served: ServedJobs, path: str) -> None:
    with served.client() as client:
        for headers in (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "http://evil.example"},
        ):
            assert client.post(path, headers=headers).status_code == 403
        client.headers.pop("sec-fetch-site")
        assert client.post(path).status_code == 403


def test_a_plan_asks_for_nothing_and_keeps_what_was_typed(served: ServedJobs) -> None:
    with served.client() as client:
        page = client.post("/new", data={**FORM, "do": "plan"}).text
    assert "5,000 Requests to send" in text_of(page)
    assert "&lt;b&gt;Which?&lt;/b&gt;" in page
    assert re.search(r'name="target" value="mine"', page)
    assert 'value="submit"' in page
    assert len(served.jobs.planned) == 1
    assert served.jobs.submitted == []


def test_a_plan_that_would_fail_offers_no_submit(served: ServedJobs) -> None:
    served.jobs.problems = ("Qwen/none: no such model.",)
    with served.client() as client:
        page = client.post("/new", data={**FORM, "do": "plan"}).text
    assert "Qwen/none: no such model." in page
    assert "Submit this job" not in page


def test_a_fault_is_one_line_above_the_form(served: ServedJobs) -> None:
    with served.client() as client:
        page = client.post("/new", data={**FORM, "target": "../x", "do": "plan"})
        unknown = client.post("/new", data={"kind": "nothing"})
    assert page.status_code == 422
    assert 'value="../x"' in page.text
    assert "target" in text_of(page.text.partition('role="alert"')[2])
    assert unknown.status_code == 422


def test_a_file_is_kept_and_named_in_the_form(served: ServedJobs) -> None:
    files = {"config.source.name.file": ("q s.jsonl", b'{"question": "?"}\n')}
    data = {**FORM, "config.source.name": "", "do": "plan"}
    with served.client() as client:
        page = client.post("/new", data=data, files=files).text
    (sha256,) = served.jobs.files
    assert f'value="upload:{sha256}/q s.jsonl"' in page
    (request,) = served.jobs.planned
    assert isinstance(request, GenerateRequest)
    assert request.config.source.name == f"upload:{sha256}/q s.jsonl"


def test_a_job_can_be_typed_again_from_another(served: ServedJobs) -> None:
    with served.client() as client:
        page = client.get(f"/new?copy={job_id(1)}").text
    assert 'name="target" value="demo"' in page
    assert 'name="budget.max_requests" value="100"' in page


def test_a_token_is_shown_once(served: ServedJobs) -> None:
    with served.client() as client:
        made = client.post("/settings/tokens", data={"name": "ann", "role": "viewer"})
        assert "cot_made" in made.text
        later = client.get("/settings").text
        assert "ann" in later
        assert "cot_made" not in later
        client.post("/settings/tokens/ann/remove")
        assert "ann" not in client.get("/settings").text
        wrong = client.post("/settings/tokens", data={"name": "A B", "role": "x"})
        assert wrong.status_code == 422


def test_a_person_logs_in_with_a_token_and_out(served: ServedJobs) -> None:
    with served.client() as client:
        client.cookies.clear()
        assert client.get("/jobs").status_code == 401
        assert client.post("/login", data={"token": "cot_other"}).status_code == 401
        assert client.post("/login", data={"token": " cot_rob "}).status_code == 303
        assert "rob" in client.get("/jobs").text
        assert client.get("/login").status_code == 303
        client.post("/logout")
        assert client.get("/jobs").status_code == 401


def test_a_runner_sees_its_own_jobs_alone(served: ServedJobs) -> None:
    served.jobs.jobs[job_id(9)] = running_job(9, owner="ada")
    with served.client(RUNNER) as client:
        assert job_id(9) not in client.get("/jobs").text
        assert client.get(f"/jobs/{job_id(9)}").status_code == 404
    with served.client(ADMIN) as client:
        assert client.get(f"/jobs/{job_id(9)}").status_code == 200


# -- in a browser ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_every_page_looks_well_everywhere(
    chromium: Chromium, served: ServedJobs, look: str
) -> None:
    link = served.link()
    with chromium.visit(link, dark=look == "dark", phone=look == "phone") as visit:
        for path in PAGES:
            visit.open(served.url + path)
            visit.screenshot(re.sub(r"\W+", "-", path).strip("-") + f"-{look}")
            visit.check_accessible()
            visit.check_fits()


@pytest.mark.slow
def test_a_job_is_planned_submitted_and_followed(
    chromium: Chromium, served: ServedJobs
) -> None:
    with chromium.visit(served.link()) as visit:
        page = visit.page
        page.get_by_role("link", name="New job").first.click()
        page.fill("#target", "mine")
        page.fill("#config-source-name", "bundled")
        page.fill("#config-teacher-model", "scripted")
        page.get_by_role("button", name="Plan", exact=True).click()
        page.get_by_role("heading", name="This is the plan").wait_for()
        visit.screenshot("plan")
        visit.check_accessible()
        page.get_by_role("button", name="Submit this job").click()
        page.wait_for_url(re.compile(r"/jobs/j0+9$"))
        # The page follows the job without being loaded again.
        served.jobs.jobs[job_id(9)] = running_job(9)
        page.get_by_text("1,234 of 5,000 requests").wait_for()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Resume").wait_for()
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Cancel").click()
        page.get_by_text("Cancelled. What was answered is kept.").wait_for()
    assert served.jobs.jobs[job_id(9)].state is JobState.CANCELLED


@pytest.mark.slow
def test_a_page_says_so_while_the_server_is_away(
    chromium: Chromium, tmp_path: Path
) -> None:
    jobs = FakeJobs({job_id(1): running_job(1)})
    with served_jobs(tmp_path, jobs) as service:
        url = service.url
        with chromium.visit(service.link()) as visit:
            visit.expect("Failed to load resource|ERR_CONNECTION")
            visit.open(f"{url}/jobs/{job_id(1)}")
            visit.page.route("**/*", lambda route: route.abort())
            visit.page.wait_for_selector("html.disconnected")
            visit.page.unroute("**/*")
            visit.page.wait_for_selector("html:not(.disconnected)")


@pytest.mark.slow
def test_jobs_work_without_scripts_and_by_keys_alone(
    chromium: Chromium, served: ServedJobs
) -> None:
    with chromium.visit(served.link(), scripts=False) as visit:
        page = visit.page
        visit.open(f"{served.url}/new")
        for name, text in (("target", "mine"), ("config-teacher-model", "scripted")):
            page.focus(f"#{name}")
            page.keyboard.type(text)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="This is the plan").wait_for()
        page.get_by_role("button", name="Submit this job").press("Enter")
        page.wait_for_url(re.compile(r"/jobs/j0+9$"))
        page.get_by_role("link", name="read it again").click()
        page.get_by_role("button", name="Cancel").press("Enter")
        page.get_by_text("Cancelled. What was answered is kept.").wait_for()
