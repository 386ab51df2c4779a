#!/bin/sh
# All GPUs of a machine, one lost server, the same bytes: sh tests/gpu/managed.sh MODEL
#
# For whoever has a machine with GPUs, best with two or more. MODEL is a folder or a Hub
# id. Run it from the root of a checkout. It installs the extra [gpu] into an environment
# of its own, unless BIN names the bin folder of one that has it. SAMPLES are asked for each of the 72 bundled questions.
#
# COTBUILD_GPU_REHEARSAL=1 runs the same steps without GPU and model, on stand-ins.
set -eu

WORK=$(mktemp -d)
SAMPLES=${SAMPLES:-50}
RUN_OPTIONS=
RUN_PID=

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

clean_up() {
    code=$?
    [ -z "$RUN_PID" ] || kill "$RUN_PID" 2>/dev/null || true
    if [ "$code" -eq 0 ]; then
        rm -rf "$WORK"
        say "all steps passed"
    else
        say "failed with exit code $code; logs and builds are in $WORK"
    fi
    exit "$code"
}
trap clean_up EXIT

if [ "${COTBUILD_GPU_REHEARSAL:-0}" = 1 ]; then
    say "a rehearsal: two GPUs and vLLM are stand-ins"
    BIN=${BIN:-.venv/bin}
    "$BIN/python" - "$WORK" <<'PYTHON'
import json, sys
from pathlib import Path

sys.path.insert(0, ".")
from tests.support.fake_vllm_site import install_fake_gpus, install_fake_vllm

work = Path(sys.argv[1])
install_fake_vllm(work / "site", "vllm")
install_fake_gpus(work / "programs", [("Stand-in", 24 << 30)] * 2)
(work / "model").mkdir()
(work / "model" / "config.json").write_text("{}")
index = {"metadata": {"total_size": 1 << 30}}
(work / "model" / "model.safetensors.index.json").write_text(json.dumps(index))
PYTHON
    MODEL=$WORK/model
    PATH=$WORK/programs:$PATH
    PYTHONPATH=$WORK/site${PYTHONPATH:+:$PYTHONPATH}
    FAKE_VLLM_LIVES=$WORK/lives
    COTBUILD_CACHE=$WORK/cache
    export PATH PYTHONPATH FAKE_VLLM_LIVES COTBUILD_CACHE FAKE_VLLM='["busy"]'
    unset CUDA_VISIBLE_DEVICES
    SAMPLES=1
    RUN_OPTIONS="--limit 24 --window 4"
else
    MODEL=${1:?usage: sh tests/gpu/managed.sh MODEL, a folder or a Hub id}
    if [ -z "${BIN:-}" ]; then
        say "an environment with the extra [gpu]"
        python3 -m venv "$WORK/venv"
        BIN=$WORK/venv/bin
        "$BIN/pip" install --quiet '.[gpu]'
    fi
fi

generate() {
    # shellcheck disable=SC2086  # RUN_OPTIONS are words
    "$BIN/python" -m cotbuild generate --source bundled --teacher "$MODEL" --samples "$SAMPLES" $RUN_OPTIONS "$@"
}

# Print the bytes of a build, without the answers and what differs from run to run.
digest_of() {
    "$BIN/python" - "$1" <<'PYTHON'
import hashlib, json, sys
from pathlib import Path

build = Path(sys.argv[1])
for path in sorted(build.rglob("*")):
    name = path.relative_to(build).as_posix()
    if path.is_file() and not name.startswith(".") and name != "README.md":
        data = path.read_bytes()
        if name == "manifest.json":
            manifest = json.loads(data)
            del manifest["run"]
            data = json.dumps(manifest).encode()
        print(hashlib.sha256(data).hexdigest(), name)
PYTHON
}

NUM_GPUS=$("$BIN/python" -c 'from cotbuild.builder.gpus import detect_gpus; print(len(detect_gpus()))')
say "$NUM_GPUS GPUs, and the plan"
[ "$NUM_GPUS" -ge 1 ] || fail "this machine shows no GPU (nvidia-smi, CUDA_VISIBLE_DEVICES)"
generate --out "$WORK/first" --dry-run | grep '^servers: ' || fail "the dry run prints no line about servers"

say "a build on all of them, without a flag"
generate --out "$WORK/first"
"$BIN/python" - "$WORK/first" "$NUM_GPUS" <<'PYTHON'
import json, sys
from pathlib import Path

build, num_gpus = Path(sys.argv[1]), int(sys.argv[2])
run = json.loads((build / "manifest.json").read_text())["run"]
teacher = run["teachers"][-1]
names = teacher.get("gpu_names", [])
print(f"manifest: {teacher.get('num_servers')} servers on {len(names)} GPUs: {names}")
if not 1 <= len(names) <= num_gpus:
    sys.exit(f"expected from 1 to {num_gpus} GPUs in the manifest, found {len(names)}")
if len(names) < num_gpus:
    print(f"note: the plan above leaves {num_gpus - len(names)} idle")
PYTHON

say "the same again, and one server is killed in the middle"
generate --out "$WORK/second" 2>"$WORK/second.log" &
RUN_PID=$!
"$BIN/python" - "$RUN_PID" "$WORK/second" <<'PYTHON'
import os, signal, sys, time
from pathlib import Path

run, build = int(sys.argv[1]), Path(sys.argv[2])


def num_answers():
    return sum(len(path.read_bytes().splitlines()) for path in build.rglob("*.journal"))


def servers():
    parents, found = {}, []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(fields[1])
        except OSError:
            pass
    for pid in parents:
        ancestor = pid
        while ancestor in parents and ancestor != run:
            ancestor = parents[ancestor]
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if ancestor == run and b"vllm.entrypoints.openai.api_server" in words[:4]:
            found.append(pid)
    return sorted(found)


deadline = time.monotonic() + 1800
while num_answers() < 12:
    if time.monotonic() > deadline or not Path(f"/proc/{run}").exists():
        sys.exit("no answers came: see second.log")
    time.sleep(0.1)
running = servers()
print("servers:", running, "- killing", running[0])
os.kill(running[0], signal.SIGKILL)
PYTHON
wait "$RUN_PID" || { tail -20 "$WORK/second.log"; fail "the run did not survive the loss of a server"; }
RUN_PID=
grep 'vLLM ended with code' "$WORK/second.log" || fail "the loss of a server was not announced"

say "the answers make the same bytes again, and nothing is asked twice"
mkdir "$WORK/third"
cp -r "$WORK/second/.answers" "$WORK/third/.answers"
generate --out "$WORK/third" --dry-run | grep '0 to send' || fail "answers are missing"
generate --out "$WORK/third"
digest_of "$WORK/second" >"$WORK/second.sums"
digest_of "$WORK/third" >"$WORK/third.sums"
cmp "$WORK/second.sums" "$WORK/third.sums" || fail "the builds differ"
cat "$WORK/third.sums"
