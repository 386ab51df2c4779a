"""The middlewares of an app in their order: security outside, then faults, then access."""

from fastapi import FastAPI

from cotbuild.builder.web.access import Access, AccessMiddleware, T
from cotbuild.builder.web.problems import ProblemResponder, install_problem_handlers
from cotbuild.builder.web.security import SecurityMiddleware, SecurityRules


def protect_app(
    app: FastAPI,
    rules: SecurityRules,
    access: Access[T],
    responder: ProblemResponder,
) -> None:
    """Put before `app` all that a request passes; call it once."""
    app.add_middleware(AccessMiddleware[T], access=access, responder=responder)
    install_problem_handlers(app, responder)
    app.add_middleware(SecurityMiddleware, rules=rules)
