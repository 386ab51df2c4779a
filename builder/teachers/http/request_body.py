"""The JSON body of a chat completion request. Pure."""

from typing import Any

from cotbuild.schemas.completion import BodyEdits, Request


def build_request_body(request: Request, model: str) -> dict[str, Any]:
    """Return the JSON body of a chat completion request.

    Every sampling field is explicit, unless the request's edits leave it out; vLLM
    reads top_k 0 as off.
    """
    fields: dict[str, Any] = request.sampling.model_dump()
    if request.seed is not None:
        fields["seed"] = request.seed
    if request.response_format is not None:
        fields["response_format"] = request.response_format
    if request.chat_template_kwargs is not None:
        fields["chat_template_kwargs"] = request.chat_template_kwargs
    if request.continue_final_message:
        # Fields of vLLM's API, which SGLang has too: nothing is put after the last turn.
        fields |= {"continue_final_message": True, "add_generation_prompt": False}
    if request.edits is not None:
        fields = edit_fields(fields, request.edits)
    return {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        **fields,
    }


def edit_fields(fields: dict[str, Any], edits: BodyEdits) -> dict[str, Any]:
    """Return the fields of a body as its server takes them."""
    kept = {name: value for name, value in fields.items() if name not in edits.omitted}
    renamed = {edits.renamed.get(name, name): value for name, value in kept.items()}
    return {**renamed, **edits.added}
