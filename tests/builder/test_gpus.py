"""GPUs as drivers list them, on machines that are made up of files and programs."""

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder import gpus as gpus_module
from cotbuild.builder.gpus import (
    Gpu,
    detect_gpus,
    gpu_environment,
    parse_nvidia_smi,
    read_kfd_nodes,
    replace_by_parts,
    select_visible,
    split_gpus,
)

TWO = """0, GPU-aaaa-1111, 81559, Disabled, NVIDIA H100 80GB HBM3
1, GPU-bbbb-2222, 24564, [N/A], NVIDIA GeForce RTX 4090
"""
MIG = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1111)
  MIG 3g.20gb     Device  0: (UUID: MIG-11aa)
  MIG 1g.5gb      Device  1: (UUID: MIG-22bb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2222)
"""


def test_nvidia_smi_is_parsed() -> None:
    gpus, has_mig = parse_nvidia_smi(TWO)
    assert not has_mig
    assert gpus == (
        Gpu("0", "NVIDIA H100 80GB HBM3", 81559 << 20, "GPU-aaaa-1111"),
        Gpu("1", "NVIDIA GeForce RTX 4090", 24564 << 20, "GPU-bbbb-2222"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NVIDIA-SMI has failed because it couldn't communicate with the driver.",
        "No devices were found",
        "0, GPU-1, 1000",
        f"{TWO}Unable to determine the device handle for GPU 2: GPU is lost.",
    ],
)
def test_what_is_no_list_of_gpus_names_none(text: str) -> None:
    assert parse_nvidia_smi(text) == ((), False)


@given(st.text())
def test_no_output_raises(text: str) -> None:
    gpus, _ = parse_nvidia_smi(text)
    replace_by_parts(gpus, text)
    select_visible(gpus, text)


def test_memory_shared_with_the_cpu_is_unknown() -> None:
    [gpu], _ = parse_nvidia_smi("0, GPU-1, [N/A], [N/A], NVIDIA GB10\n")
    assert gpu.memory_bytes is None


def test_a_gpu_in_mig_mode_is_its_parts() -> None:
    listed, has_mig = parse_nvidia_smi(
        "0, GPU-aaaa-1111, 40960, Enabled, NVIDIA A100\n"
        "1, GPU-bbbb-2222, 40960, Disabled, NVIDIA A100\n"
    )
    assert has_mig
    large, small, whole = replace_by_parts(listed, MIG)
    assert (large.device, large.name, large.memory_bytes) == (
        "MIG-11aa", "MIG 3g.20gb", 20 << 30,
    )  # fmt: skip
    assert (small.memory_bytes, small.is_part) == (5 << 30, True)
    assert (whole.device, whole.is_part) == ("1", False)


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        ("0,1", ["0", "1"]),
        ("1,0", ["1", "0"]),
        (" 1 ", ["1"]),
        ("1,7,0", ["1"]),
        ("GPU-bbbb", ["GPU-bbbb"]),
        ("0,0", ["0"]),
        ("", []),
        ("-1", []),
        ("none", []),
        ("NoDevFiles", []),
    ],
)
def test_visible_devices(visible: str, devices: list[str]) -> None:
    gpus, _ = parse_nvidia_smi(TWO)
    assert [gpu.device for gpu in select_visible(gpus, visible)] == devices


@pytest.mark.parametrize("visible", ["7", "7,0", "GPU-", "MIG-33cc", "0x"])
def test_devices_that_are_not_known_are_one_of_unknown_size(visible: str) -> None:
    """The CPU's settings would be wrong for vLLM, which finds a GPU."""
    gpus, _ = parse_nvidia_smi(TWO)
    assert select_visible(gpus, visible) == (Gpu(device=None),)
    assert select_visible((), visible) == ()


def test_the_index_of_a_gpu_in_parts_is_one_of_unknown_size() -> None:
    listed, _ = parse_nvidia_smi("0, GPU-aaaa-1111, 40960, Enabled, NVIDIA A100\n")
    parts = replace_by_parts(listed, MIG)
    assert select_visible(parts, "0") == (Gpu(device=None),)
    assert [gpu.device for gpu in select_visible(parts, "MIG-22bb")] == ["MIG-22bb"]


def test_a_process_is_restricted_to_its_gpus() -> None:
    first, second = parse_nvidia_smi(TWO)[0]
    assert gpu_environment((), {}) == {}
    assert gpu_environment((Gpu(device=None),), {}) == {}
    assert gpu_environment((first, second), {}) == {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
    # The user's numbers mean what they meant to the user.
    assert gpu_environment((second,), {"CUDA_VISIBLE_DEVICES": "1"}) == {
        "CUDA_VISIBLE_DEVICES": "1"
    }
    amd = Gpu("3", "AMD gfx942", 192 << 30, vendor="amd")
    assert gpu_environment((amd,), {}) == {
        "HIP_VISIBLE_DEVICES": "3",
        "CUDA_VISIBLE_DEVICES": "3",
    }


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 5))
def test_workers_get_whole_groups_and_each_gpu_once(
    num_gpus: int, num_workers: int, per_server: int
) -> None:
    gpus = [Gpu(str(number)) for number in range(num_gpus)]
    shares = split_gpus(gpus, num_workers, per_server)
    assert len(shares) == num_workers
    assert all(len(share) % per_server == 0 for share in shares)
    num_shared = num_gpus // per_server * per_server
    assert [gpu for share in shares for gpu in share] == gpus[:num_shared]
    sizes = [len(share) // per_server for share in shares]
    assert max(sizes) - min(sizes) <= 1


def make_node(folder: Path, number: int, simd_count: int, *gib: int) -> None:
    node = folder / str(number)
    node.mkdir(parents=True)
    (node / "properties").write_text(
        f"cpu_cores_count 0\nsimd_count {simd_count}\ngfx_target_version 90402\n"
        f"unique_id {number}\nbroken line here\n"
    )
    for bank, size in enumerate(gib):
        (node / "mem_banks" / str(bank)).mkdir(parents=True)
        (node / "mem_banks" / str(bank) / "properties").write_text(
            f"heap_type 1\nsize_in_bytes {size << 30}\n"
        )


def test_gpus_of_amd_are_read_from_the_driver(tmp_path: Path) -> None:
    make_node(tmp_path, 0, 0, 512)  # the CPU
    make_node(tmp_path, 10, 1216, 192)
    make_node(tmp_path, 2, 1216, 192)
    first, second = read_kfd_nodes(tmp_path)
    assert (first.device, second.device) == ("0", "1")
    assert (first.name, first.memory_bytes) == ("AMD gfx942", 192 << 30)
    assert first.vendor == "amd"
    assert read_kfd_nodes(tmp_path / "absent") == ()


@pytest.mark.parametrize(
    ("environ", "devices"),
    [
        ({}, ["0", "1", "2"]),
        ({"ROCR_VISIBLE_DEVICES": "1,2"}, ["0", "1"]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-0000000000000003"}, ["0"]),
        ({"ROCR_VISIBLE_DEVICES": "1,2", "HIP_VISIBLE_DEVICES": "1"}, ["1"]),
        ({"ROCR_VISIBLE_DEVICES": "9"}, [None]),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),
        ({"HIP_VISIBLE_DEVICES": "2"}, ["2"]),
        ({"HIP_VISIBLE_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "0"}, ["2"]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["1"]),
    ],
)
def test_hip_counts_within_the_gpus_that_rocr_shows(
    environ: dict[str, str], devices: list[str | None], program: Path
) -> None:
    write_program(program, "raise SystemExit(9)")
    for number in range(1, 4):
        make_node(program.parent / "nodes", number, 1216, 64 * number)
    gpus = detect_gpus(environ)
    assert [gpu.device for gpu in gpus] == devices
    if environ == {"ROCR_VISIBLE_DEVICES": "1,2"}:
        assert [gpu.memory_bytes for gpu in gpus] == [128 << 30, 192 << 30]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nvidia-smi that the test writes, on a machine without device files."""
    monkeypatch.setattr(gpus_module, "DEVICE_FILES", (str(tmp_path / "device"),))
    monkeypatch.setattr(gpus_module, "KFD_NODES", tmp_path / "nodes")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / "nvidia-smi"


def write_program(path: Path, body: str) -> None:
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_program_is_asked_and_gets_no_secret(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    write_program(
        program,
        "import os, sys\n"
        "assert 'OPENAI_API_KEY' not in os.environ\n"
        f"print({TWO!r} if 'query-gpu' in sys.argv[1] else '', end='')\n",
    )
    assert [gpu.device for gpu in detect_gpus({})] == ["0", "1"]
    assert [gpu.device for gpu in detect_gpus({"CUDA_VISIBLE_DEVICES": "1"})] == ["1"]
    assert detect_gpus({"CUDA_VISIBLE_DEVICES": ""}) == ()


@pytest.mark.parametrize(
    "body", ["print('junk')", "raise SystemExit(9)", "import time; time.sleep(600)"]
)
def test_a_program_that_lists_nothing_leaves_one_gpu(
    program: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(gpus_module, "QUERY_TIMEOUT_S", 0.5)
    write_program(program, body)
    assert detect_gpus({}) == ()
    (program.parent / "device").touch()
    assert detect_gpus({}) == (Gpu(device=None),)
    assert detect_gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == ()
