"""A server that is hard to get rid of: `python dummy_server.py FOLDER` ignores SIGTERM,
and so do its descendants.

It listens on FOLDER/s, has a child with a child of its own, one of them in a session of
its own; each leaves files of three kinds in /dev/shm. $DUMMY_PIDS grows by a line a
process, $DUMMY_PIDS.shm by one a file.
"""

import mmap
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

folder = Path(sys.argv[1])
depth = int(sys.argv[2]) if len(sys.argv) > 2 else 0
asked_to_end = Path(os.environ["DUMMY_PIDS"] + ".asked")
signal.signal(signal.SIGTERM, lambda *_: asked_to_end.touch())
if depth < 2:
    subprocess.Popen(
        [sys.executable, __file__, str(folder), str(depth + 1)],
        start_new_session=depth == 1,
    )
shm = [Path(f"/dev/shm/psm_cotbuild_test_{os.getpid()}")]
shm.append(Path(f"/dev/shm/__KMP_REGISTERED_LIB_{os.getpid()}_{os.getuid()}"))
lock = multiprocessing.get_context("spawn").Lock()
shm.append(Path(f"/dev/shm/sem.{lock._semlock.name[1:]}"))  # type: ignore[attr-defined]
if sys.platform == "linux":
    with shm[0].open("w+b") as file:
        file.truncate(4096)
        mapped = mmap.mmap(file.fileno(), 4096)
    shm[1].touch()
assert all(path.exists() for path in shm)
with Path(os.environ["DUMMY_PIDS"] + ".shm").open("a") as names:
    names.writelines(f"{path}\n" for path in shm)
if depth == 0:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "s"))
    listening.listen()
with Path(os.environ["DUMMY_PIDS"]).open("a") as pids:
    pids.write(f"{os.getpid()}\n")
print(f"ready at depth {depth}", flush=True)
time.sleep(300)
