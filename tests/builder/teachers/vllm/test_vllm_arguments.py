"""What is planned for any machine and model is accepted by vLLM's own parser."""

import importlib
import importlib.util

import pytest

from cotbuild.builder.teachers.vllm.model_size import model_size
from cotbuild.builder.teachers.vllm.plan import place_servers
from cotbuild.builder.teachers.vllm.tuning import Machine, tune_vllm
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.teacher_config import ServerConfig
from tests.support.gpu_machines import CONFIGS, MACHINES, machine_gpus

pytestmark = [
    pytest.mark.slow,  # importing the parser takes 18 s
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="needs the cpu extra"
    ),
]

SETTINGS = (
    ServerConfig(),
    ServerConfig(
        dtype="bfloat16",
        max_num_seqs=512,
        max_model_len=8192,
        max_num_batched_tokens=16384,
        enforce_eager=True,
    ),
    ServerConfig(extra_args=("-tp", "2", "--gpu-memory-utilization", "0.8")),
)


@pytest.mark.filterwarnings("ignore")  # vLLM's own, on import
def test_arguments_for_every_machine_and_model() -> None:
    vllm_utils = importlib.import_module("vllm.utils.argparse_utils")
    cli_args = importlib.import_module("vllm.entrypoints.launchers.cli_args")
    parser = cli_args.make_arg_parser(vllm_utils.FlexibleArgumentParser())
    num_parsed = 0
    for machine_name in MACHINES:
        gpus = machine_gpus(machine_name)
        machine = Machine("vllm 0.32.0", gpus, frozenset(), 8, 64, ())
        for name, (config, gigabytes) in CONFIGS.items():
            for server in SETTINGS:
                size = model_size(config, int(gigabytes * 1e9), server.dtype)
                try:
                    plan = place_servers(gpus, name, size, server, 4096)
                except ConfigError:
                    continue
                settings = tune_vllm(machine, server, None, plan.tensor_parallel)
                args = parser.parse_args(["--model", name, *settings.args])
                assert args.tensor_parallel_size == settings.num_gpus
                assert args.max_num_seqs == settings.max_num_seqs
                assert args.max_model_len == settings.max_model_len
                if plan.gpus_per_server:
                    assert args.tensor_parallel_size == plan.gpus_per_server
                num_parsed += 1
    assert num_parsed > len(MACHINES) * len(CONFIGS)
