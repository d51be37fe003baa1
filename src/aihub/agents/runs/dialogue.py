"""pydantic-ai's messages and tools in the form of the chat completions API."""

from collections.abc import Sequence
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from aihub.agents.contracts import AnswerBroken


def function(tool: ToolDefinition) -> dict[str, Any]:
    """A tool in the form of the chat completions API."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description or "",
            "parameters": tool.parameters_json_schema,
        },
    }


def dialogue(messages: Sequence[ModelMessage]) -> list[dict[str, Any]]:
    """The messages in the form of the chat completions API."""
    out: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, ModelRequest):
            out.extend(_request(message))
        else:
            out.append(_response(message))
    return out


def _request(message: ModelRequest) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    if message.instructions:
        out.append({"role": "system", "content": message.instructions})
    for part in message.parts:
        if isinstance(part, SystemPromptPart):
            out.append({"role": "system", "content": part.content})
        elif isinstance(part, UserPromptPart):
            words = part.content if isinstance(part.content, str) else "\n\n".join(map(str, part.content))
            out.append({"role": "user", "content": words})
        elif isinstance(part, ToolReturnPart):
            out.append(
                {"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response_str()}
            )
        elif isinstance(part, RetryPromptPart):
            out.append({"role": "user", "content": part.model_response()})
        else:
            raise AnswerBroken(f"A message part of kind '{part.part_kind}' cannot be sent.")
    return out


def _response(message: ModelResponse) -> dict[str, Any]:
    text = "".join(part.content for part in message.parts if isinstance(part, TextPart))
    calls = [
        {
            "id": part.tool_call_id,
            "type": "function",
            "function": {"name": part.tool_name, "arguments": part.args_as_json_str()},
        }
        for part in message.parts
        if isinstance(part, ToolCallPart)
    ]
    unknown = [p for p in message.parts if not isinstance(p, TextPart | ToolCallPart | ThinkingPart)]
    if unknown:
        raise AnswerBroken(f"A message part of kind '{unknown[0].part_kind}' cannot be sent.")
    out: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        out["tool_calls"] = calls
    return out
