"""The client alone: a whole `cotbuild generate` against a mock endpoint, beside a bare
aiohttp loop.

Client on one core, mock on the other; both send the same bodies with the same window.
The rate is that of the asking, from the first request to the last answer as the mock
saw them; the whole command also starts, plans, derives and writes the build.
"""

from duel import duel, parser
from harness import load, spread, table


def main() -> None:
    options = parser(__doc__, requests=3000, window=256)
    options.add_argument("--latency", type=float, default=0.05, help="seconds")
    args = options.parse_args()
    print(
        f"{args.requests} requests, {args.latency * 1000:.0f} ms, window {args.window}; {load()}"
    )
    pairs = duel(args, "--latency", args.latency)
    sides = {"cotbuild": [a for a, _ in pairs], "floor": [b for _, b in pairs]}
    table(
        ["side", "asking, requests/s", "whole command, s", "CPU, s", "peak RSS, MB"],
        (
            [
                name,
                spread((side.rate for side in found), ".0f"),
                spread(side.run.wall_s for side in found),
                spread(side.run.cpu_s for side in found),
                spread((side.run.rss_mb for side in found), ".0f"),
            ]
            for name, found in sides.items()
        ),
    )
    print(
        f"asking, cotbuild/floor over {len(pairs)} pairs: {spread(a.rate / b.rate for a, b in pairs)}"
    )


if __name__ == "__main__":
    main()
