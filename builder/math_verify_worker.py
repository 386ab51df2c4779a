"""The child process of `math_metric`: compares pairs of expressions that it is sent.

Each line on the socket is a JSON list of an answer and a target; each reply is one byte,
1 or 0. A comparison that takes more than its share of CPU time ends the process.
"""

import json
import resource
import signal
import socket
import sys

from math_verify import (
    ExprExtractionConfig,
    LatexExtractionConfig,
    parse,
    verify,
)

MEMORY_BYTES = 2 << 30
_FORMS = (LatexExtractionConfig(), ExprExtractionConfig())


def main(descriptor: int, cpu_s: float) -> None:
    """Answer until the other side closes the connection."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with (
        socket.socket(fileno=descriptor) as connection,
        connection.makefile("rb") as lines,
    ):
        for line in lines:
            answer, target = json.loads(line)
            # Its default action ends the process, whatever code runs.
            signal.setitimer(signal.ITIMER_PROF, cpu_s)
            reply = b"1" if agrees(answer, target) else b"0"
            signal.setitimer(signal.ITIMER_PROF, 0)
            connection.sendall(reply)


def agrees(answer: str, target: str) -> bool:
    """Return whether math-verify takes two expressions as equal; False if it fails."""
    try:
        gold, own = _parse(target), _parse(answer)
        return bool(gold and own) and bool(verify(gold, own, timeout_seconds=None))
    except Exception:  # noqa: BLE001  SymPy raises whatever it meets
        return False


def _parse(text: str) -> list[object]:
    has_bounds = "$" in text or "\\boxed" in text
    expression = text if has_bounds else f"${text}$"
    found: list[object] = parse(
        expression, extraction_config=_FORMS, parsing_timeout=None
    )
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
