"""Evaluations of students: one of them, and two compared."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.evaluation.metric_columns import metric_columns
from cotbuild.builder.pages.compare_pages import Name, finished_names
from cotbuild.builder.pages.render import render
from cotbuild.builder.pages.site import SiteOf
from cotbuild.builder.view.catalog import EntryKind
from cotbuild.builder.view.compare_evaluations import Change, compare_evaluations
from cotbuild.builder.view.evaluation import Outcome, view_evaluation
from cotbuild.schemas.evaluation import QuestionResult

router = APIRouter(include_in_schema=False)

After = Annotated[int, Query(ge=-1, le=10**15)]
CHANGE_WORDS = {
    Change.FIXED: "fixed",
    Change.BROKEN: "broken",
    Change.OTHER_WRONG: "wrong, with another answer",
    Change.SAME_WRONG: "wrong, with the same answer",
    Change.BOTH_RIGHT: "right in both",
    Change.UNGRADED: "not graded",
}


@router.get("/evaluations/compare")
def show_comparison(
    request: Request,
    site: SiteOf,
    a: Name = "",
    b: Name = "",
    change: Change = Change.FIXED,
    after: After = -1,
) -> Response:
    """Compare two evaluations, and list the questions with a change."""
    names = finished_names(request, site, EntryKind.EVALUATION)
    links = site.links
    if not (a and b):
        return render(
            request,
            "choose_two.html.jinja",
            names=names,
            a=a,
            b=b,
            what="evaluations",
            action=links.evaluations(),
        )
    first = site.find(request, a, EntryKind.EVALUATION).folder
    second = site.find(request, b, EntryKind.EVALUATION).folder
    found = compare_evaluations(
        site.database, first, second, change=change, after=after
    )
    return render(
        request,
        "evaluations.html.jinja",
        names=names,
        a=a,
        b=b,
        found=found,
        change=change,
        changes=CHANGE_WORDS,
        change_link=lambda one: links.evaluations(a=a, b=b, change=one),
        describe_answer=describe_answer,
        first_page=links.evaluations(a=a, b=b, change=change) if after >= 0 else None,
        next=None
        if found.next is None
        else links.evaluations(a=a, b=b, change=change, after=found.next),
    )


@router.get("/evaluations/{name}")
def show_evaluation(
    request: Request,
    site: SiteOf,
    name: str,
    outcome: Outcome | None = None,
    after: After = -1,
) -> Response:
    """Show an evaluation: metrics, classes, slices and results."""
    entry = site.find(request, name, EntryKind.EVALUATION)
    view = view_evaluation(site.database, entry.folder, outcome=outcome, after=after)
    links = site.links
    others = finished_names(request, site, EntryKind.EVALUATION)
    return render(
        request,
        "evaluation.html.jinja",
        entry=entry,
        view=view,
        evaluation=view.evaluation,
        columns=list(metric_columns(view.evaluation.student)),
        outcome=outcome,
        outcomes=list(Outcome),
        outcome_link=lambda one: links.evaluation(name, outcome=one),
        others=[one for one in others if one != name],
        compare_action=links.evaluations(),
        describe_answer=describe_answer,
        first_page=links.evaluation(name, outcome=outcome) if after >= 0 else None,
        next=None
        if view.next is None
        else links.evaluation(name, outcome=outcome, after=view.next),
    )


def describe_answer(result: QuestionResult) -> str | None:
    """Return what a student answered, by the primary metric; None for no answer."""
    return result.choice if result.choice is not None else result.answer
