"""A Ray cluster whose nodes are processes of this machine, in a process of its own.

    python tests/support/ray_cluster.py CPUS…

It has a head without CPUs and a node for each number. Prints the address and then, for
each line `add CPUS` or `kill PID` of its input, a line once that is done.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cotbuild.builder.guard import list_processes

TOKEN = "a-token-of-the-tests-0123456789"
OBJECT_STORE_BYTES = 100 << 20


class RayCluster:
    """A running cluster; `environment` is for a command that connects to it."""

    def __init__(self, process: "subprocess.Popen[str]", token: str | None) -> None:
        self._process = process
        address = self._read()
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {}
        self.environment = os.environ | {"RAY_ADDRESS": address} | auth

    def add_node(self, num_cpus: int) -> None:
        """Add a node; return once it is alive."""
        self._do(f"add {num_cpus}")

    def kill_node_of(self, pid: int) -> None:
        """Kill each process of the node that a process is on, as a power cut does."""
        self._do(f"kill {pid}")

    def _do(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._read() == "done"

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextlib.contextmanager
def run_cluster(*cpus: int, token: str | None = TOKEN) -> Iterator[RayCluster]:
    """Start a cluster with a node for each number of CPUs; end it afterwards."""
    auth = {"RAY_AUTH_MODE": "disabled"}
    if token:
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    process = subprocess.Popen(
        [sys.executable, __file__, *map(str, cpus)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"} | auth,
        text=True,
    )
    with process:
        yield RayCluster(process, token)
        assert process.stdin is not None
        process.stdin.close()


def descendants_of(pid: int) -> set[int]:
    """Return the processes below one."""
    parents = dict(list_processes())
    found = {pid}
    while added := {child for child, p in parents.items() if p in found} - found:
        found |= added
    return found - {pid}


def kill_tree(roots: Iterable[int], member: int) -> None:
    """Kill a process and all below it: the one that `member` is below."""
    for root in roots:
        below = descendants_of(root)
        if member in below:
            for pid in (root, *below):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Run the cluster until the input ends."""
    from ray.cluster_utils import Cluster

    output = os.dup(1)
    os.dup2(2, 1)

    def answer(line: str) -> None:
        os.write(output, line.encode() + b"\n")

    common = {"object_store_memory": OBJECT_STORE_BYTES}
    head = common | {"num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    raylets = []

    def add(num_cpus: int) -> None:
        node = cluster.add_node(num_cpus=num_cpus, **common)
        raylets.append(node.all_processes["raylet"][0].process.pid)

    for number in sys.argv[1:]:
        add(int(number))
    answer(cluster.address)
    for line in sys.stdin:
        what, value = line.split()
        if what == "add":
            add(int(value))
        else:
            kill_tree(raylets, int(value))
        answer("done")
    cluster.shutdown()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
