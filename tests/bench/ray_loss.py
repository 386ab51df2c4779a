"""How long a killed node of a Ray cluster goes unnoticed, and until a worker runs
elsewhere in place of the one that it had.

    PYTHONPATH=. python tests/bench/ray_loss.py --trials 3

The nodes are processes of this machine; one is killed with all its processes in each
trial. Beside it: when Ray itself marks the node as dead is the time of its health
checks, which `docs/clusters.md` says how to shorten.
"""

import argparse
import tempfile
import time
from pathlib import Path

from harness import load, table

from tests.builder.launchers.test_ray import launch_on, wait_for_worker
from tests.support.launcher_contract import SLEEP, command, wait_for_exits
from tests.support.ray_cluster import run_cluster


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--trials", type=int, default=3)
    args = options.parse_args()
    print(f"seconds after the kill; {load()}")
    rows = []
    nodes = [1] * (args.trials + 1)
    with (
        tempfile.TemporaryDirectory() as name,
        run_cluster(*nodes) as cluster,
        launch_on(cluster, Path(name)) as launcher,
    ):
        folder = Path(name)
        for trial in range(args.trials):
            launcher.launch(command(f"lost-{trial}", *SLEEP))
            worker = wait_for_worker(folder, f"lost-{trial}")
            killed_s = time.monotonic()
            cluster.kill_node_of(worker)
            wait_for_exits(launcher, 1)
            noticed_s = time.monotonic() - killed_s
            launcher.launch(command(f"next-{trial}", "sh", "-c", "sleep 2"))
            wait_for_worker(folder, f"next-{trial}")
            replaced_s = time.monotonic() - killed_s
            wait_for_exits(launcher, 1)
            rows.append([trial + 1, f"{noticed_s:.1f}", f"{replaced_s:.1f}"])
    table(["trial", "noticed", "next worker runs"], rows)


if __name__ == "__main__":
    main()
