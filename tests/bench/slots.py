"""Slots used under a heavy tail: a mock endpoint of 64 slots whose latencies are
lognormal, as a server's are.

Slot use = busy time of all slots / (slots x time asked). What is missing is mostly the
end, where the longest requests run alone: the bare loop beside it, with the same
requests, has that too.
"""

from duel import Side, duel, parser
from harness import load, spread, table


def main() -> None:
    options = parser(__doc__, requests=2000, window=128)
    options.add_argument("--slots", type=int, default=64)
    options.add_argument("--latency", type=float, default=1.0, help="mean, seconds")
    options.add_argument("--sigma", type=float, default=1.0)
    args = options.parse_args()
    print(
        f"{args.requests} requests, mean {args.latency} s, sigma {args.sigma}, {args.slots} slots, "
        f"window {args.window}; {load()}"
    )

    slots: int = args.slots

    def used(side: Side) -> float:
        return 100 * side.busy_s / (slots * side.asking_s)

    pairs = duel(
        args, "--latency", args.latency, "--sigma", args.sigma, "--slots", args.slots
    )
    sides = {"cotbuild": [a for a, _ in pairs], "floor": [b for _, b in pairs]}
    table(
        ["side", "slots used, %", "asking, s"],
        (
            [
                name,
                spread(map(used, found), ".1f"),
                spread(side.asking_s for side in found),
            ]
            for name, found in sides.items()
        ),
    )
    print(
        f"asking, cotbuild/floor over {len(pairs)} pairs: {spread((a.asking_s / b.asking_s for a, b in pairs), '.3f')}"
    )


if __name__ == "__main__":
    main()
