"""A vLLM server that is not ours, reached over TCP as a user's is."""

import asyncio
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cotbuild.builder.teachers.vllm.process import GuardedProcess, new_run_dir
from cotbuild.builder.teachers.vllm.tuning import detect_machine, tune_vllm
from cotbuild.schemas.teacher_config import ServerConfig
from tests.support.http_teacher import free_port

START_S = 600.0
"""Longer than a start takes on a busy machine."""


@contextmanager
def serve_vllm(
    model: Path, name: str, log: Path, *flags: str, max_num_seqs: int, max_len: int
) -> Iterator[str]:
    """Serve a model under a name, and yield the URL that ends in /v1."""
    server_config = ServerConfig(max_num_seqs=max_num_seqs)
    settings = tune_vllm(detect_machine(), server_config, max_len)
    port, run_dir = free_port(), new_run_dir()
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(model), "--served-model-name", name),
        *("--host", "127.0.0.1", "--port", str(port)),
        *flags,
        *settings.args,
    ]
    private = {
        "TMPDIR": str(run_dir),
        "VLLM_RPC_BASE_PATH": str(run_dir),
        "HF_HUB_OFFLINE": "1",
    }
    server = GuardedProcess(command, settings.env | private, log, run_dir)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/health", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        asyncio.run(server.stop())


def _wait_until_healthy(address: str, server: GuardedProcess) -> None:
    deadline = time.monotonic() + START_S
    while True:
        assert server.exit_code() is None, server.last_error()
        assert time.monotonic() < deadline
        try:
            urllib.request.urlopen(address, timeout=10).close()
            return
        except OSError:
            time.sleep(0.5)
