"""The cores and the memory that this process may use of its machine.

A container and a batch system limit both by control groups, which most libraries do not
read: they would start a thread for each core of the machine.
"""

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
"""Names the groups of this process, one line a hierarchy."""


def usable_cores() -> int:
    """Return the cores that this process may use, under its affinity and cgroup quota.

    Part of a core counts as one.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    limits = [cores]
    for folder in _cgroup_folders(""):
        quota = parse_quota(_read_text(folder / "cpu.max"))
        if quota is not None:
            limits.append(math.ceil(quota))
    return max(1, min(limits))


def parse_quota(cpu_max: str) -> float | None:
    """Parse a cgroup's cpu.max: "150000 100000" grants 1.5 cores.

    None means that there is no limit.
    """
    quota, _, period = cpu_max.strip().partition(" ")
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return int(quota) / int(period)


def usable_memory_bytes() -> int:
    """Return the memory that this process may use, under its cgroup limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    files = [folder / "memory.max" for folder in _cgroup_folders("")]
    files += [folder / "memory.limit_in_bytes" for folder in _cgroup_folders("memory")]
    texts = [_read_text(path).strip() for path in files]
    limits = [int(text) for text in texts if text.isdecimal()]
    return min([total, *limits])


def _cgroup_folders(controller: str) -> list[Path]:
    """Return the folders of this process's cgroup and of those above it.

    `controller` is one of cgroup version 1; an empty name means version 2.
    """
    root = CGROUPS / controller
    for line in _read_text(OWN_CGROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == controller:
            own = root / path.lstrip("/")
            parents = [parent for parent in own.parents if parent.is_relative_to(root)]
            return [own, *parents]
    return []


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
