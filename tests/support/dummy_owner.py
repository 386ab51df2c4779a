"""What cotbuild is to a server: `python dummy_owner.py RUN_DIR LOG` starts one and
stops it once its stdin ends.
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / ".ns"))

from cotbuild.builder.teachers.vllm.process import GuardedProcess

run_dir, log = map(Path, sys.argv[1:])
command = [
    sys.executable,
    str(Path(__file__).with_name("dummy_server.py")),
    str(run_dir),
]
server = GuardedProcess(command, {}, log, run_dir, grace_s=0.3)
print(server.guard_pid, flush=True)
sys.stdin.read()
asyncio.run(server.stop())
