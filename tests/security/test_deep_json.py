"""Bodies nested so deeply that walking them would fail are refused before they cost anything."""

import pytest
from tests.services.gateway.conftest import Hub

from aihub.services.gateway.adapters.anthropic import request_of
from aihub.services.gateway.contracts import InvalidCall

DEEP = "[" * 400 + "]" * 400


@pytest.mark.parametrize(
    "body",
    [
        f'{{"model":"echo","messages":[{{"role":"user","content":[{{"type":"text","text":"x","y":{DEEP}}}]}}]}}',
        f'{{"model":"echo","messages":[{{"role":"user","content":"x"}}],"unknown":{DEEP}}}',
        f'{{"model":"echo","stream":true,"messages":[{{"role":"user","content":"x"}}],"tools":[{{"x":{DEEP}}}]}}',
    ],
)
async def test_a_deeply_nested_call_is_a_bad_request(models: Hub, body: str) -> None:
    await models.add_model("echo")
    answer = await models.call("POST", "/v1/chat/completions", body.encode())
    assert answer.status == 400, answer.body
    assert "nested" in answer.json()["error"]["message"]


async def test_a_call_nested_as_schemas_are_is_answered(models: Hub) -> None:
    await models.add_model("echo")
    schema = '{"a":' * 60 + "1" + "}" * 60
    body = (
        f'{{"model":"echo","messages":[{{"role":"user","content":"{"[{" * 300}"}}],'
        f'"tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]}}'
    )
    answer = await models.call("POST", "/v1/chat/completions", body.encode())
    assert answer.status == 200, answer.body


async def test_a_deeply_nested_embedding_is_a_bad_request(models: Hub) -> None:
    body = f'{{"model":"echo","input":{DEEP}}}'
    assert (await models.call("POST", "/v1/embeddings", body.encode())).status == 400


@pytest.mark.parametrize("arguments", [f'{{"a":{DEEP}}}', DEEP, "3"])
def test_deeply_nested_arguments_in_a_text_are_refused_where_they_are_unpacked(arguments: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    with pytest.raises(InvalidCall):
        request_of({"model": "m", "max_tokens": 10, "messages": turns})
