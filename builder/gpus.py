"""The GPUs of this machine that a process may use."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cotbuild.builder.environment import child_environment

QUERY_TIMEOUT_S = 20.0
"""nvidia-smi takes seconds where the driver has to wake the GPUs, and hangs where one of
them is broken.
"""
MAX_OUTPUT_CHARS = 1 << 16
MAX_NAME_CHARS = 60
KFD_NODES = Path("/sys/class/kfd/kfd/topology/nodes")
"""Where the Linux driver of AMD lists what can compute."""
DEVICE_FILES = ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""Each of them means that there is a GPU, however it may be listed."""

_QUERY = ("index", "uuid", "memory.total", "mig.mode.current", "name")
_MIG_GPU = re.compile(r"GPU (\d{1,3}): (.{1,100}?) \(UUID: GPU-[\w-]{1,60}\)")
_MIG_DEVICE = re.compile(
    r"\s+MIG (\S{1,20})\s+Device\s+\d+: \(UUID: (MIG-[\w/-]{1,80})\)"
)
_MIG_MEMORY = re.compile(r"\.(\d{1,4})gb")
_NO_DEVICES = ("-1", "NoDevFiles", "none")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or a part of one that MIG has made, as one device."""

    device: str | None
    """Its name in CUDA_VISIBLE_DEVICES; None where the GPUs cannot be listed."""
    name: str = "GPU"
    memory_bytes: int | None = None
    """None if the driver does not report it."""
    uuid: str = ""
    vendor: Literal["nvidia", "amd"] = "nvidia"
    is_part: bool = False
    """Whether it is a MIG device; a process can use only one of those."""


def detect_gpus(environ: Mapping[str, str] = os.environ) -> tuple[Gpu, ...]:
    """Return the GPUs that a process with this environment may use.

    One of unknown size stands for all where a driver is loaded and does not list them.
    Never raises.
    """
    gpus = _list_nvidia_gpus()
    if not gpus:
        gpus = read_kfd_nodes(KFD_NODES)
    if not gpus and any(Path(device).exists() for device in DEVICE_FILES):
        gpus = (Gpu(device=None),)
    names = ["CUDA_VISIBLE_DEVICES"]
    if gpus and gpus[0].vendor == "amd":
        if "ROCR_VISIBLE_DEVICES" in environ:  # as Slurm sets it
            gpus = renumber(select_visible(gpus, environ["ROCR_VISIBLE_DEVICES"]))
        names = ["HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"]
    for name in names:
        if name in environ:
            # HIP reads the second name only where the first one is not set.
            return select_visible(gpus, environ[name])
    return gpus


def gpu_environment(
    gpus: Sequence[Gpu], environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variables that restrict a process to `gpus`; none if that is unknown."""
    devices = [gpu.device for gpu in gpus if gpu.device is not None]
    if not devices:
        return {}
    visible = ",".join(devices)
    if gpus[0].vendor == "amd":
        # vLLM reads both, and refuses to start if they differ.
        return {"HIP_VISIBLE_DEVICES": visible, "CUDA_VISIBLE_DEVICES": visible}
    variables = {"CUDA_VISIBLE_DEVICES": visible}
    if "CUDA_VISIBLE_DEVICES" not in environ:
        # CUDA numbers the fastest GPU 0, nvidia-smi the first one on the bus.
        variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    return variables


def split_gpus(
    gpus: Sequence[Gpu], num_workers: int, per_server: int = 1
) -> list[tuple[Gpu, ...]]:
    """Share `gpus` out among workers, in whole groups of `per_server`.

    Shares differ by at most one group. A worker for which there is none gets ().
    """
    num_groups = len(gpus) // max(per_server, 1)
    shares, start = [], 0
    for number in range(num_workers):
        more = number < num_groups % num_workers
        end = start + (num_groups // num_workers + more) * per_server
        shares.append(tuple(gpus[start:end]))
        start = end
    return shares


def select_visible(gpus: Sequence[Gpu], visible: str) -> tuple[Gpu, ...]:
    """Return the GPUs that a value of CUDA_VISIBLE_DEVICES names, in its order.

    As in CUDA, an entry that names none ends the list. Entries are indexes, or
    beginnings of UUIDs. Where the first entry is none of those known, such as the index
    of a GPU that is in parts, one GPU of unknown size stands for what it names.
    """
    entries = [entry.strip() for entry in visible.split(",")]
    if not gpus or entries[0] in ("", *_NO_DEVICES):
        return ()
    selected: list[Gpu] = []
    for entry in entries:
        gpu = _find_gpu(gpus, entry)
        if gpu is None or any(gpu.uuid == other.uuid for other in selected):
            break
        selected.append(replace(gpu, device=entry))
    return tuple(selected) or (Gpu(device=None, vendor=gpus[0].vendor),)


def renumber(gpus: Iterable[Gpu]) -> tuple[Gpu, ...]:
    """Return the GPUs under the numbers that HIP gives those which ROCr shows it."""
    return tuple(
        gpu if gpu.device is None else replace(gpu, device=str(number))
        for number, gpu in enumerate(gpus)
    )


def _find_gpu(gpus: Iterable[Gpu], entry: str) -> Gpu | None:
    for gpu in gpus:
        if entry == gpu.device or (len(entry) > 4 and gpu.uuid.startswith(entry)):
            return gpu
    return None


# -- NVIDIA --------------------------------------------------------------------


def _list_nvidia_gpus() -> tuple[Gpu, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    listed = _run_query(
        [program, f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    )
    gpus, has_mig = parse_nvidia_smi(listed)
    if not has_mig:
        return gpus
    return replace_by_parts(gpus, _run_query([program, "-L"]))


def _run_query(command: Sequence[str]) -> str:
    """Return what a command prints; nothing if it fails or does not end in time."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
        )
    except OSError:
        return ""
    try:
        output, _ = process.communicate(timeout=QUERY_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        # It may hang in the driver, where even SIGKILL does not reach it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1.0)
        return ""
    if process.returncode != 0:
        return ""
    return output.decode("utf-8", "replace")[:MAX_OUTPUT_CHARS]


def parse_nvidia_smi(text: str) -> tuple[tuple[Gpu, ...], bool]:
    """Parse the output of nvidia-smi; return the GPUs, and whether one is in MIG mode.

    A line that is none of a GPU makes the whole list worthless: no GPU is returned.
    """
    gpus, has_mig = [], False
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",", len(_QUERY) - 1)]
        if len(fields) != len(_QUERY) or not fields[0].isdecimal():
            return (), False
        index, uuid, mebibytes, mig_mode, name = fields
        has_mig |= mig_mode == "Enabled"
        # Not a number where the GPU shares the memory of the CPU.
        memory_bytes = int(mebibytes) << 20 if mebibytes.isdecimal() else None
        gpus.append(
            Gpu(
                device=index,
                name=_clean_name(name),
                memory_bytes=memory_bytes,
                uuid=uuid,
                is_part=mig_mode == "Enabled",
            )
        )
    return tuple(gpus), has_mig


def replace_by_parts(gpus: Sequence[Gpu], text: str) -> tuple[Gpu, ...]:
    """Replace each GPU in MIG mode by its parts, as `nvidia-smi -L` lists them."""
    parts: dict[str, list[Gpu]] = {}
    index = ""
    for line in text.splitlines():
        gpu_line = _MIG_GPU.match(line)
        part_line = _MIG_DEVICE.match(line)
        if gpu_line is not None:
            index = gpu_line[1]
        elif part_line is not None:
            profile, uuid = part_line.groups()
            memory = _MIG_MEMORY.search(profile)
            part = Gpu(
                device=uuid,
                name=f"MIG {profile}",
                memory_bytes=int(memory[1]) << 30 if memory else None,
                uuid=uuid,
                is_part=True,
            )
            parts.setdefault(index, []).append(part)
    replaced: list[Gpu] = []
    for gpu in gpus:
        replaced += parts.get(gpu.device or "", []) if gpu.is_part else [gpu]
    return tuple(replaced)


def _clean_name(name: str) -> str:
    printable = "".join(char for char in name if char.isprintable())
    return printable[:MAX_NAME_CHARS] or "GPU"


# -- AMD -----------------------------------------------------------------------


def read_kfd_nodes(folder: Path) -> tuple[Gpu, ...]:
    """Return the GPUs among the nodes of a folder such as KFD_NODES, by number."""
    nodes = [path for path in folder.glob("*") if path.name.isdecimal()]
    gpus: list[Gpu] = []
    for node in sorted(nodes, key=lambda path: int(path.name)):
        properties = _read_properties(node / "properties")
        if not properties.get("simd_count"):  # a CPU, or not for this container
            continue
        banks = [_read_properties(path) for path in node.glob("mem_banks/*/properties")]
        # Heaps 1 and 2 are memory of the GPU that the CPU can and cannot see.
        sizes = [
            bank.get("size_in_bytes", 0)
            for bank in banks
            if bank.get("heap_type") in (1, 2)
        ]
        version = properties.get("gfx_target_version", 0)
        gpus.append(
            Gpu(
                device=str(len(gpus)),
                name=f"AMD gfx{version // 10000}{version // 100 % 100}{version % 100:x}",
                memory_bytes=sum(sizes) or None,
                uuid=f"GPU-{properties.get('unique_id', 0):016x}-{len(gpus)}",
                vendor="amd",
            )
        )
    return tuple(gpus)


def _read_properties(path: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    try:
        lines = path.read_text(errors="replace")[:MAX_OUTPUT_CHARS].splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {
        pair[0]: int(pair[1])
        for pair in pairs
        if len(pair) == 2 and pair[1].isdecimal()
    }
