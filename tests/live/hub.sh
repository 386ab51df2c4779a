#!/bin/sh
# Publish to a real Hub, load, verify, pull and delete: sh tests/live/hub.sh ORG/NAME
#
# For whoever has an account with write access (HF_TOKEN, or `hf auth login`). The repository
# must not exist: it is made private, and deleted in the end, also where a step fails. The
# teacher is the scripted one, so nothing but the Hub is needed. Run it from the root of a
# checkout that `make demo` or `make test` has set up. Takes about two minutes.
set -eu

REPO=${1:?usage: sh tests/live/hub.sh ORG/NAME, a repository that does not exist yet}
BIN=${BIN:-.venv/bin}
WORK=$(mktemp -d)

say() { printf '\n== %s\n' "$*"; }

in_python() { REPO=$REPO WORK=$WORK "$BIN/python" - "$@"; }

say "the account, and that $REPO does not exist"
in_python <<'PYTHON'
import os, sys
from huggingface_hub import HfApi

api, repo = HfApi(), os.environ["REPO"]
print("account:", api.whoami()["name"])
if api.repo_exists(repo, repo_type="dataset"):
    sys.exit(f"{repo}: exists already. Name one that does not: it is deleted in the end.")
PYTHON

clean_up() {
    code=$?
    say "deleting $REPO"
    in_python <<'PYTHON' || { echo "$REPO could not be deleted: delete it by hand"; code=1; }
import os
from huggingface_hub import HfApi

HfApi().delete_repo(os.environ["REPO"], repo_type="dataset", missing_ok=True)
PYTHON
    rm -rf "$WORK"
    [ "$code" -eq 0 ] && say "all steps passed" || say "FAILED with exit code $code"
    exit "$code"
}
trap clean_up EXIT

say "a build"
"$BIN/cotbuild" generate --source bundled --eval-splits test --teacher scripted --out "$WORK/build"
"$BIN/cotbuild" variants "$WORK/build" --only label_only,pre_cot

say "publishing v1 without xet"
HF_HUB_DISABLE_XET=1 "$BIN/cotbuild" publish "$WORK/build" "$REPO" --tag v1 --private --license apache-2.0

say "publishing v2 with xet"
"$BIN/cotbuild" variants "$WORK/build" --only label_only,pre_cot,post_cot
HF_HUB_DISABLE_XET=0 "$BIN/cotbuild" publish "$WORK/build" "$REPO" --tag v2 --license apache-2.0

say "publishing v2 again changes nothing"
"$BIN/cotbuild" publish "$WORK/build" "$REPO" --tag v2 --license apache-2.0

say "loading both with datasets"
in_python <<'PYTHON'
import os
from datasets import load_dataset

repo = os.environ["REPO"]
for tag, config in (("v1", "pre_cot"), ("v2", "post_cot"), ("v2", "rationales")):
    rows = load_dataset(repo, config, revision=tag, split="train")
    print(tag, config, rows.num_rows, "rows:", rows.column_names[:4], "…")
    assert rows.num_rows > 0
PYTHON

say "verifying both, and a student's view of a release"
"$BIN/cotbuild" verify "$REPO@v1"
"$BIN/cotbuild" verify "$REPO@v2" --all

say "pulling v2, verifying it, and generating again without a request"
"$BIN/cotbuild" pull "$REPO@v2" "$WORK/pulled"
"$BIN/cotbuild" verify "$WORK/pulled"
"$BIN/cotbuild" generate --config "$WORK/pulled/build.json" --teacher scripted --out "$WORK/pulled" --dry-run |
    tee "$WORK/plan"
grep -q " 0 to send" "$WORK/plan"
