#!/bin/sh
# A study at ten times its rows and seeds, for ten minutes on one GPU:
# sh tests/gpu/study.sh STUDY.yaml OUT
#
# For whoever has a machine with a GPU. STUDY.yaml is of format version 2, as in
# docs/studies. OUT is the folder of the larger study; run the script again with the same
# OUT to go on. The declaration's `source` is looked up from the current folder, as by
# cotbuild itself.
#
# ROWS_FACTOR and SEEDS_FACTOR multiply rows and seeds (10), up to the rationales that the
# variants share. MINUTES ends the run (10), and
# PROCESSES share its cells (4: a small student does not fill a GPU). The script installs
# the extra [student] into an environment of its own, unless BIN names the bin folder of
# one that has it.
#
# COTBUILD_GPU_REHEARSAL=1 runs the same steps without a GPU, in float32.
set -eu

STUDY=${1:?usage: sh tests/gpu/study.sh STUDY.yaml OUT}
OUT=${2:?usage: sh tests/gpu/study.sh STUDY.yaml OUT}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
ROWS_FACTOR=${ROWS_FACTOR:-10}
SEEDS_FACTOR=${SEEDS_FACTOR:-10}
MINUTES=${MINUTES:-10}
PROCESSES=${PROCESSES:-4}
REHEARSAL=${COTBUILD_GPU_REHEARSAL:-0}

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

if [ -z "${BIN:-}" ]; then
    say "an environment with the extra [student]"
    [ -x "$OUT/.venv/bin/python" ] || python3 -m venv "$OUT/.venv"
    BIN=$OUT/.venv/bin
    "$BIN/pip" install --quiet "$ROOT[student]"
fi

if [ "$REHEARSAL" = 1 ]; then
    say "a rehearsal without a GPU"
else
    "$BIN/python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
        fail "torch finds no GPU on this machine"
fi

say "the larger study"
mkdir -p "$OUT"
if [ -e "$OUT/STUDY.yaml" ]; then
    echo "$OUT/STUDY.yaml exists: the study goes on"
else
    PRECISION=--bfloat16
    [ "$REHEARSAL" = 0 ] || PRECISION=
    # shellcheck disable=SC2086 # PRECISION is an option or nothing
    "$BIN/python" "$ROOT/tests/gpu/enlarge_study.py" "$STUDY" "$OUT/STUDY.yaml" \
        --rows-factor "$ROWS_FACTOR" --seeds-factor "$SEEDS_FACTOR" $PRECISION
fi

say "what it takes"
"$BIN/python" -m cotbuild study "$OUT/STUDY.yaml" --dry-run

say "$PROCESSES processes for $MINUTES minutes"
# A process that is ended loses no finished cell, and training goes on from a checkpoint.
run_cells() {
    exec timeout --kill-after=60 "${MINUTES}m" \
        "$BIN/python" -m cotbuild study "$OUT/STUDY.yaml" >"$OUT/process-$1.log" 2>&1
}
PIDS=
end_processes() {
    for PID in $PIDS; do kill "$PID" 2>/dev/null || true; done
    wait
}
trap end_processes EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
END=$(($(date +%s) + MINUTES * 60))
NUMBER=1
while [ "$NUMBER" -le "$PROCESSES" ]; do
    run_cells "$NUMBER" &
    PIDS="$PIDS $!"
    NUMBER=$((NUMBER + 1))
done
NUMBER=1
for PID in $PIDS; do
    code=0
    wait "$PID" || code=$?
    # Out of time: 124, or 137 if it had to be killed. Before then 137 is a failure.
    if [ "$code" = 137 ] && [ "$(date +%s)" -ge "$END" ]; then code=124; fi
    case $code in
        0 | 124) ;; # finished, or out of time
        *) tail -5 "$OUT/process-$NUMBER.log" >&2; fail "process $NUMBER ended with code $code" ;;
    esac
    NUMBER=$((NUMBER + 1))
done
PIDS=

say "the report"
"$BIN/python" -m cotbuild study "$OUT/STUDY.yaml" --report-only
"$BIN/python" - "$OUT" <<'PYTHON'
import json, sys
from pathlib import Path

cells = [json.loads(path.read_text()) for path in Path(sys.argv[1], "cells").glob("*.json")]
tested = [cell for cell in cells if cell.get("test")]
trained = [cell["training"] for cell in tested if cell.get("training")]
seconds = sum(training["seconds"] for training in trained)
tokens = sum(training["tokens"] for training in trained)
kinds = sorted({f"{cell.get('processor')}" for cell in tested})
precisions = sorted({training["precision"] for training in trained})
print(f"cells with test answers: {len(tested)}, on {', '.join(kinds)}, {', '.join(precisions)}")
if seconds:
    print(f"training: {tokens / seconds:.0f} tokens/s in each process")
PYTHON
say "done; the same command goes on where cells are left"
