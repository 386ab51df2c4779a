"""A bare `vllm.LLM` in a process of its own: one JSON line in, one out.

First line: {"args": […] of the API server, "chats": […], "sampling": {…}}; it answers
{"ready": true}. After that each line makes it generate for all chats once and answer
{"seconds": …, "tokens": …, "texts": […]}.
"""

import json
import os
import sys
import time
from typing import Any, TextIO


def main() -> None:
    # vLLM prints to stdout: that goes to the log, and the answers to the pipe that
    # stdout was.
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.readline())

    from vllm import LLM, EngineArgs, SamplingParams
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = FlexibleArgumentParser()  # type: ignore[no-untyped-call]
    args = EngineArgs.add_cli_args(parser).parse_args(job["args"])
    llm = LLM.from_engine_args(EngineArgs.from_cli_args(args))
    tokenizer = llm.get_tokenizer()
    prompts = [
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        for chat in job["chats"]
    ]
    say(pipe, {"ready": True})
    for _ in sys.stdin:
        started = time.perf_counter()
        outputs = llm.generate(
            prompts, SamplingParams(**job["sampling"]), use_tqdm=False
        )
        seconds = time.perf_counter() - started
        found = [output.outputs[0] for output in outputs]
        tokens = sum(len(output.token_ids) for output in found)
        say(
            pipe,
            {
                "seconds": seconds,
                "tokens": tokens,
                "texts": [output.text for output in found],
            },
        )


def say(pipe: TextIO, value: dict[str, Any]) -> None:
    print(json.dumps(value), file=pipe, flush=True)


if __name__ == "__main__":
    main()
