"""What each worker of a machine is started with: its GPUs, and no secret that its
teacher does not need.
"""

import pytest

from cotbuild.builder.generate.workers import places
from cotbuild.builder.generate.workers.places import local_environments
from cotbuild.builder.gpus import Gpu
from cotbuild.builder.teachers.vllm import prepare
from cotbuild.builder.teachers.vllm.plan import ServerPlan
from cotbuild.schemas.teacher_config import TeacherConfig

GPUS = tuple(Gpu(device=str(number), uuid=f"GPU-{number}") for number in range(4))
ENDPOINT = TeacherConfig(model="m", endpoints=("http://gpu-box/v1",))
MANAGED = TeacherConfig(model="org/model")


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnop")
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    for name in ("HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", *PROXIES):
        monkeypatch.delenv(name, raising=False)


PROXIES = [
    name if is_upper else name.lower()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")
    for is_upper in (True, False)
]


def shared(
    monkeypatch: pytest.MonkeyPatch, plan: ServerPlan, number: int
) -> tuple[list[dict[str, str]], list[str]]:
    monkeypatch.setattr(prepare, "plan_servers", lambda _config, _identity: plan)
    lines: list[str] = []
    return local_environments(MANAGED, "hub:m", number, lines.append), lines


def test_a_secret_goes_to_the_teacher_that_needs_it() -> None:
    assert (
        local_environments(ENDPOINT, "e", 2, print)
        == [{"OPENAI_API_KEY": "sk-abcdefghijklmnop"}] * 2
    )
    assert local_environments(TeacherConfig(model="scripted"), "s", 1, print) == [{}]
    assert places.teacher_secrets(MANAGED) == {"HF_TOKEN": "hf_abcdefghijklmnop"}


@pytest.mark.parametrize(
    ("number", "width", "devices"),
    [
        (1, 1, ["0,1,2,3"]),
        (2, 1, ["0,1", "2,3"]),
        (3, 1, ["0,1", "2", "3"]),
        (2, 2, ["0,1", "2,3"]),
        (3, 2, ["0,1", "2,3"]),
        (8, 4, ["0,1,2,3"]),
        (0, 1, []),
    ],
)
def test_workers_share_the_gpus_in_whole_servers(
    monkeypatch: pytest.MonkeyPatch, number: int, width: int, devices: list[str]
) -> None:
    groups = tuple(GPUS[start : start + width] for start in range(0, 4, width))
    plan = ServerPlan("m", GPUS, groups, tensor_parallel=width)
    environments, lines = shared(monkeypatch, plan, number)
    found = [environment["CUDA_VISIBLE_DEVICES"] for environment in environments]
    assert found == devices
    assert all(environment["HF_TOKEN"] for environment in environments)
    assert bool(lines) == (len(devices) < number)


def test_a_cpu_has_room_for_one_server(monkeypatch: pytest.MonkeyPatch) -> None:
    environments, lines = shared(monkeypatch, ServerPlan("m", ()), 3)
    assert environments == [{"HF_TOKEN": "hf_abcdefghijklmnop"}]
    assert lines == ["1 worker, not 3: this machine has no room for more servers"]
