"""A batch script that runs workers as an array of Slurm jobs."""

import shlex
from collections.abc import Sequence

from cotbuild.builder.launchers.local import PROGRAM

DRAIN_S = 120
"""Seconds before its time limit at which Slurm signals a job to drain."""

_SCRIPT = """\
#!/bin/bash
# Workers of one build, as an array of Slurm jobs. Options of sbatch override those here:
#   sbatch --partition=gpu --time=12:00:00 --cpus-per-task=8 THIS_FILE
#SBATCH --job-name=cotbuild-worker
#SBATCH --array=0-{last}
#SBATCH --nodes=1
#SBATCH --ntasks=1
{gpus}\
#SBATCH --requeue
#SBATCH --signal=B:USR1@{drain_s}
#SBATCH --open-mode=append
#SBATCH --output=cotbuild-worker-%A_%a.log

# Another name each time that the job starts: its former worker may still be running on
# a node that Slurm has lost.
array="${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
name="slurm-$array-${{SLURM_RESTART_COUNT:-0}}"

# SIGUSR1 comes before the time limit, SIGTERM with preemption and scancel. Both drain. The
# traps stand before the worker starts: a signal without one would end this script alone.
worker=
early=
time_is_up=0
drain() {{
    interrupted=1
    if [ -n "$worker" ]; then kill "-$1" "$worker" 2>/dev/null; else early=$1; fi
}}
trap 'time_is_up=1; drain USR1' USR1
trap 'drain TERM' TERM

{command} --id "$name"{arguments} &
worker=$!
if [ -n "$early" ]; then kill "-$early" "$worker" 2>/dev/null; fi

# A trapped signal ends `wait`, and `code` is then not the worker's.
interrupted=1
while [ "$interrupted" = 1 ]; do
    interrupted=0
    wait "$worker"
    code=$?
done

# Exit code 4: drained. The time limit drained it, so there is more to do.
if [ "$time_is_up" = 1 ] && [ "$code" = 4 ]; then
    scontrol requeue "$array"
fi
exit "$code"
"""


def slurm_script(
    build: str,
    arguments: Sequence[str],
    *,
    count: int,
    gpus_per_worker: int,
    program: Sequence[str] = PROGRAM,
) -> str:
    """Return the text of an sbatch script with `count` workers.

    A worker drains at SIGUSR1, which Slurm sends before the time limit, and then the job
    is queued again; a lost node or a preemption queues it again too.

    Args:
        build: Folder that every node sees by this path, or the address of a store.
        arguments: Options of `cotbuild worker`, passed on as they are.
        count: Jobs of the array, one worker each.
        gpus_per_worker: GPUs of a job; 0 asks Slurm for none.
        program: The command of cotbuild on the nodes.
    """
    command = [*program, "worker", build]
    return _SCRIPT.format(
        last=count - 1,
        gpus=f"#SBATCH --gpus-per-node={gpus_per_worker}\n" if gpus_per_worker else "",
        drain_s=DRAIN_S,
        command=shlex.join(command),
        arguments="".join(f" {shlex.quote(argument)}" for argument in arguments),
    )
