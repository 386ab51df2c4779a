"""What tests of builds by workers compare: requests of a server, files of builds."""

from tests.support.http_teacher import Server


def requests_of(server: Server) -> int:
    """Return how many requests a server has had."""
    count: int = server.stats()["requests"]
    return count


def has_had(server: Server, goal: int) -> bool:
    """Whether a server has had so many requests."""
    return requests_of(server) >= goal


def without_spending(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files of a build, its card without the line that counts all answers, those that two
    workers received among them.
    """
    lines = files["README.md"].splitlines()
    kept = [line for line in lines if not line.startswith(b"- Asked: ")]
    assert len(kept) == len(lines) - 1
    return files | {"README.md": b"\n".join(kept)}
