"""A server that is hard to get rid of: `python dummy_server.py FOLDER` ignores SIGTERM, and so do its descendants.

It listens on FOLDER/s, has a child with a child of its own, one of them in a session of its own, and leaves two files
in /dev/shm, one of them mapped. FOLDER/pids grows by a line a process.
"""

import mmap
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

folder = Path(sys.argv[1])
depth = int(sys.argv[2]) if len(sys.argv) > 2 else 0
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if depth < 2:
    subprocess.Popen([sys.executable, __file__, str(folder), str(depth + 1)], start_new_session=depth == 1)
shm = Path(f"/dev/shm/psm_cotbuild_test_{os.getpid()}")
if sys.platform == "linux":
    with shm.open("w+b") as file:
        file.truncate(4096)
        mapped = mmap.mmap(file.fileno(), 4096)
    Path(f"/dev/shm/__KMP_REGISTERED_LIB_{os.getpid()}_{os.getuid()}").write_text("")
if depth == 0:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "s"))
    listening.listen()
with Path(os.environ["DUMMY_PIDS"]).open("a") as pids:
    pids.write(f"{os.getpid()}\n")
print(f"ready at depth {depth}", flush=True)
time.sleep(300)
