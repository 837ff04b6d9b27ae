"""JSON from a model that writes text: it is told the schema, its reply is read, and a bad one goes back once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finlmm_core import Completion, Sampling
from finlmm_core.plugins.bases import Message

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)


def chat_by_generating(
    generate: Callable[[Sequence[Sequence[Message]], Sampling], list[list[Completion]]],
    conversations: Sequence[Sequence[Message]],
    sampling: Sampling | None,
    schema: Mapping[str, Any] | None,
) -> list[Completion]:
    """Return one completion of each conversation, of a backend that can ``generate`` many at a time.

    Args:
        generate: the backend's.
        conversations: the last turn of each is the user's.
        sampling: how completions are drawn; one of each conversation, whatever its ``n``.
        schema: as in ``chat_json``; None for free text.
    """
    drawn = (sampling or Sampling()).model_copy(update={"n": 1})

    def replies(many: Sequence[Sequence[Message]]) -> list[Completion]:
        return [completion for (completion,) in generate(many, drawn)]

    return replies(conversations) if schema is None else chat_json_many(replies, conversations, schema)


def chat_json(
    reply: Callable[[list[Message]], Completion], messages: Sequence[Message], schema: Mapping[str, Any]
) -> Completion:
    """Return a completion whose text is JSON that fits the schema, or the second reply as it stands.

    Args:
        reply: puts a conversation to the model.
        messages: the conversation; the last turn is the user's.
        schema: JSON schema; of it type, properties, required, additionalProperties, items, enum, const, anyOf and the
            bounds of numbers, texts and arrays are checked.
    """
    return chat_json_many(lambda conversations: [reply(turns) for turns in conversations], [messages], schema)[0]


def chat_json_many(
    replies: Callable[[list[list[Message]]], list[Completion]],
    conversations: Sequence[Sequence[Message]],
    schema: Mapping[str, Any],
) -> list[Completion]:
    """Return what ``chat_json`` returns for each of many conversations, asked together, and the bad ones once more.

    Args:
        replies: puts conversations to the model; what could not be had (``failed``) is returned as it is.
        conversations: each as in ``chat_json``.
        schema: as in ``chat_json``.
    """
    told = "\n\nReply with JSON that fits this JSON schema, and with nothing else:\n" + json.dumps(
        schema, ensure_ascii=False
    )
    asked = [_with_text(messages, told) for messages in conversations]
    found = replies(asked)
    again: dict[int, list[Message]] = {}
    for place, completion in enumerate(found):
        if completion.failed:
            continue
        value, problem = read_json(completion.text, schema)
        if problem is None:
            found[place] = _as_json(completion, value)
            continue
        told = f"That does not fit the schema: {problem}. Reply with the JSON alone."
        again[place] = [
            *asked[place],
            {"role": "assistant", "content": [{"type": "text", "text": completion.text}]},
            {"role": "user", "content": [{"type": "text", "text": told}]},
        ]
    for place, completion in zip(again, replies(list(again.values())) if again else [], strict=True):
        value, problem = read_json(completion.text, schema)
        found[place] = completion if completion.failed or problem is not None else _as_json(completion, value)
    return found


def read_json(text: str, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """Return the JSON in a reply and None, or None and what is wrong; thinking, a fence and words beside it pass."""
    text = text.rpartition("</think>")[2] or text  # what a model thinks aloud may hold braces, too
    fenced = _FENCE.search(text)
    body = fenced.group(1) if fenced else text
    decoder = json.JSONDecoder()
    starts = [place for place in (body.find("{"), body.find("[")) if place >= 0]
    try:
        value, _ = decoder.raw_decode(body.strip() if not starts else body[min(starts) :])
    except (ValueError, RecursionError) as error:
        return None, f"it cannot be read as JSON ({error})"
    return value, misfit(value, schema)


def misfit(value: Any, schema: Mapping[str, Any], path: str = "the reply") -> str | None:
    """Return the first thing in a value that does not fit a JSON schema, None where all does."""
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else list(wanted or ())
    if names and not any(_is_of(value, name) for name in names):
        return f"{path} should be of type {' or '.join(names)}, and is {json.dumps(value, ensure_ascii=False)[:80]}"
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if allowed is not None and value not in allowed:
        return f"{path} should be one of {json.dumps(allowed, ensure_ascii=False)}"
    if "anyOf" in schema:
        problems = [misfit(value, one, path) for one in schema["anyOf"]]
        if None not in problems:
            return problems[0]
    if problem := _length_problem(value, schema, path):
        return problem
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            return f"{path} should be at least {schema['minimum']}"
        if value > schema.get("maximum", value):
            return f"{path} should be at most {schema['maximum']}"
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                return f"{path} lacks '{name}'"
        for name, inner in schema.get("properties", {}).items():
            if name in value and (problem := misfit(value[name], inner, f"{path}.{name}")):
                return problem
        if schema.get("additionalProperties") is False:
            unknown = sorted(set(value) - set(schema.get("properties", {})))
            if unknown:
                return f"{path} has '{unknown[0]}', which the schema does not know"
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            if problem := misfit(item, schema["items"], f"{path}[{number}]"):
                return problem
    return None


def _length_problem(value: Any, schema: Mapping[str, Any], path: str) -> str | None:
    if not isinstance(value, str | list):
        return None
    lower, upper, what = (
        ("minLength", "maxLength", "characters") if isinstance(value, str) else ("minItems", "maxItems", "items")
    )
    if len(value) < schema.get(lower, 0):
        return f"{path} should have at least {schema[lower]} {what}, and has {len(value)}"
    if len(value) > schema.get(upper, len(value)):
        return f"{path} should have at most {schema[upper]} {what}, and has {len(value)}"
    return None


def _is_of(value: Any, name: str) -> bool:
    if isinstance(value, bool):  # a bool is an int in Python, not in JSON
        return name == "boolean"
    return isinstance(value, _TYPES.get(name, (object,)))


def _with_text(messages: Sequence[Message], text: str) -> list[Message]:
    """Return the conversation with text added to its last turn."""
    last = messages[-1]
    content = last["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*messages[:-1], {**last, "content": [*parts, {"type": "text", "text": text}]}]


def _as_json(completion: Completion, value: Any) -> Completion:
    return completion.model_copy(update={"text": json.dumps(value, ensure_ascii=False)})
