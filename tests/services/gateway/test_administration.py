"""Providers and models, managed over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.services.gateway.conftest import MODULES, Hub, open_hub
from tests.support.runtime import open_runtime, settings_for
from tests.support.serving import serving
from tests.support.waiting import until

from aihub.kernel import audit
from aihub.kernel.db import system
from aihub.kernel.settings import SettingsError
from aihub.services.gateway.adapters.fake import FakeProvider, Script
from aihub.services.gateway.service import Gateway, seed_catalogue

SECRET = "sk-very-secret-0123456789"
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def wish(hub: Hub, **fields: Any) -> dict[str, Any]:
    return {"name": "p", "kind": "openai", "base_url": f"{hub.fake_url}/v1", "allow_private": True, **fields}


async def test_a_key_is_sealed_used_and_never_shown(hub: Hub) -> None:
    hub.fake.api_key = SECRET
    answer = await hub.call("POST", "/api/v1/providers", wish(hub, api_key=SECRET))
    assert answer.status == 201
    provider = answer.json()
    assert provider["has_api_key"] is True
    hub.provider_id = provider["id"]
    await hub.add_model("alpha")
    seen = [
        answer.body,
        (await hub.call("GET", "/api/v1/providers")).body,
        (await hub.call("GET", "/api/v1/models")).body,
        (await hub.call("PATCH", f"/api/v1/providers/{provider['id']}", {"name": "q"})).body,
        (await hub.call("POST", f"/api/v1/providers/{provider['id']}/test")).body,
    ]
    async with hub.runtime.database.work(system("test")) as work:
        row = (await work.session.execute(text("select * from providers where name = 'q'"))).one()
        page = await audit.page(work, cursor=None, limit=50)
    seen += [bytes(row.api_key_sealed), str(row).encode(), str(page).encode()]
    assert not any(SECRET.encode() in text for text in seen)
    assert {"provider.create", "provider.change", "model.create"} <= {line.action for line in page.items}
    body = {"model": "alpha", "messages": [{"role": "user", "content": "x"}]}
    assert (await hub.call("POST", "/v1/chat/completions", body)).status == 200
    snapshot = await hub.gateway.catalogue.snapshot()
    assert SECRET not in repr(snapshot)


async def test_a_new_key_holds_at_once_and_a_new_address_needs_the_key_again(hub: Hub) -> None:
    hub.fake.api_key = SECRET
    provider = (await hub.call("POST", "/api/v1/providers", wish(hub, api_key="sk-wrong"))).json()
    hub.provider_id = provider["id"]
    path = f"/api/v1/providers/{provider['id']}"
    await hub.add_model("alpha")
    body = {"model": "alpha", "messages": [{"role": "user", "content": "x"}]}
    assert (await hub.call("POST", "/v1/chat/completions", body)).status == 502
    assert (await hub.call("PATCH", path, {"api_key": SECRET})).status == 200

    async def works() -> bool:
        return (await hub.call("POST", "/v1/chat/completions", body)).status == 200

    await until(works)
    moved = await hub.call("PATCH", path, {"base_url": f"{hub.fake_url}/elsewhere"})
    assert (moved.status, moved.json()["errors"][0]["field"]) == (422, "api_key")
    assert (await hub.call("PATCH", path, {"base_url": f"{hub.fake_url}/v1"})).status == 200
    both = {"base_url": f"{hub.fake_url}/elsewhere", "api_key": None}
    assert (await hub.call("PATCH", path, both)).json()["has_api_key"] is False


async def test_the_test_button(hub: Hub) -> None:
    hub.fake.api_key = SECRET
    provider = (await hub.call("POST", "/api/v1/providers", wish(hub, api_key=SECRET))).json()
    path = f"/api/v1/providers/{provider['id']}"
    good = (await hub.call("POST", f"{path}/test")).json()
    assert good["ok"] is True
    assert "echo" in good["models"]
    assert good["latency_ms"] >= 0
    await hub.call("PATCH", path, {"api_key": "sk-wrong"})
    bad = (await hub.call("POST", f"{path}/test")).json()
    assert (bad["ok"], bad["error"]["code"]) == (False, "provider.key_refused")
    assert bad["error"]["remedy"]
    assert hub.fake.requests == []
    assert (await hub.call("POST", f"/api/v1/providers/{UNKNOWN}/test")).status == 404
    embedded = next(
        p for p in (await hub.call("GET", "/api/v1/providers")).json()["items"] if p["kind"] == "embedded"
    )
    off = (await hub.call("POST", f"/api/v1/providers/{embedded['id']}/test")).json()
    assert (off["ok"], off["error"]["code"]) == (False, "model.unavailable")


async def test_models_are_added_changed_and_removed(hub: Hub) -> None:
    model = await hub.add_model("alpha", aliases=["a1", "a2"], input_price="0.25", request_price="0.000001")
    assert model["input_price"] == "0.250000"
    assert model["request_price"] == "0.000001"
    assert (model["context_length"], model["state"], model["demonstration"]) == (128_000, "unknown", False)
    path = f"/api/v1/models/{model['id']}"
    changed = await hub.call("PATCH", path, {"aliases": ["a3"], "output_price": "2", "name": "beta"})
    assert changed.status == 200
    assert (changed.json()["name"], changed.json()["aliases"]) == ("beta", ["a3"])
    await hub.settled_catalogue("a3")
    body = {"model": "a1", "messages": [{"role": "user", "content": "x"}]}
    assert (await hub.call("POST", "/v1/chat/completions", body)).status == 404
    assert (await hub.call("DELETE", path)).status == 204
    assert (await hub.call("DELETE", path)).status == 404
    assert (await hub.call("PATCH", path, {"name": "x"})).status == 404


async def test_an_added_model_without_prices_gets_the_defaults(hub: Hub) -> None:
    for name, upstream, prices in (
        ("mine", "mine", ("360.000000", "1800.000000")),
        ("four", "gpt-4", ("3600.000000", "7200.000000")),
    ):
        body = {"name": name, "provider_id": hub.provider_id, "upstream_name": upstream}
        model = (await hub.call("POST", "/api/v1/models", body)).json()
        assert (model["input_price"], model["output_price"]) == prices
        assert model["request_price"] == "0.000000"


async def test_names_and_aliases_are_unique_also_in_a_race(hub: Hub) -> None:
    await hub.add_model("alpha", aliases=["a1"])
    base = {"provider_id": hub.provider_id, "upstream_name": "x"}
    for body in (
        {"name": "alpha"},
        {"name": "a1"},
        {"name": "new", "aliases": ["alpha"]},
        {"name": "new", "aliases": ["a1"]},
    ):
        answer = await hub.call("POST", "/api/v1/models", {**base, **body})
        assert (answer.status, answer.json()["code"]) == (409, "gateway.name_taken")

    async def one(number: int) -> int:
        body = {**base, "name": f"n{number}", "aliases": ["shared"]}
        return (await hub.call("POST", "/api/v1/models", body)).status

    statuses = await asyncio.gather(*(one(n) for n in range(8)))
    assert sorted(statuses) == [201] + [409] * 7
    assert (await hub.call("POST", "/api/v1/providers", wish(hub, name="scripted"))).status == 409


BAD_MODELS: list[dict[str, Any]] = [
    {"name": ""},
    {"name": "a b"},
    {"name": "x" * 200},
    {"name": "a\u0000b"},
    {"name": "n", "aliases": ["n"]},
    {"name": "n", "aliases": ["a", "a"]},
    {"name": "n", "aliases": [""]},
    {"name": "n", "kind": "image"},
    {"name": "n", "provider_id": UNKNOWN},
    {"name": "n", "provider_id": "nonsense"},
    {"name": "n", "context_length": 0},
    {"name": "n", "context_length": 10**12},
    {"name": "n", "max_output": -5},
    {"name": "n", "input_price": "-1"},
    {"name": "n", "input_price": "NaN"},
    {"name": "n", "input_price": "1e3"},
    {"name": "n", "input_price": 0.1},
    {"name": "n", "input_price": "0.0000001"},
    {"name": "n", "request_price": "99999999999999"},
    {"name": "n", "upstream_name": ""},
    {"name": "n", "surprise": 1},
]


@pytest.mark.parametrize("fields", BAD_MODELS, ids=lambda f: str(f)[:40])
async def test_bad_models(hub: Hub, fields: dict[str, Any]) -> None:
    body = {"provider_id": hub.provider_id, "upstream_name": "x", **fields}
    answer = await hub.call("POST", "/api/v1/models", body)
    assert answer.status == 422, answer.body
    assert answer.json()["code"].startswith("request.")


async def test_bad_providers(hub: Hub) -> None:
    for fields in (
        {"name": ""},
        {"name": "-x"},
        {"name": "a\nb"},
        {"kind": "embedded"},
        {"kind": "other"},
        {"api_key": ""},
        {"api_key": "with blank"},
        {"api_key": "x\r\nX-Evil: 1"},
        {"api_key": "schlüssel"},
        {"allow_private": "perhaps"},
        {"surprise": 1},
    ):
        answer = await hub.call("POST", "/api/v1/providers", wish(hub, **fields))
        assert answer.status == 422, fields
    path = f"/api/v1/providers/{hub.provider_id}"
    for changes in ({"kind": "anthropic"}, {"name": None}, {"enabled": None}, {"base_url": None}):
        assert (await hub.call("PATCH", path, changes)).status == 422, changes


async def test_lists_are_paged(hub: Hub) -> None:
    for number in range(5):
        await hub.add_model(f"m{number}")
    names: list[str] = []
    cursor = ""
    while True:
        page = (await hub.call("GET", f"/api/v1/models?limit=2{cursor}")).json()
        assert len(page["items"]) <= 2
        names += [m["name"] for m in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert names == sorted(names)
    assert {f"m{n}" for n in range(5)} | {"smollm2-135m", "all-minilm-l6-v2"} == set(names)


async def test_the_embedded_provider_can_only_be_switched(hub: Hub) -> None:
    providers = (await hub.call("GET", "/api/v1/providers")).json()["items"]
    path = f"/api/v1/providers/{next(p['id'] for p in providers if p['kind'] == 'embedded')}"
    assert (await hub.call("DELETE", path)).json()["code"] == "provider.built_in"
    assert (await hub.call("PATCH", path, {"base_url": "https://example.org"})).status in (409, 422)
    assert (await hub.call("PATCH", path, {"name": "mine"})).status == 409
    assert (await hub.call("PATCH", path, {"enabled": False})).json()["enabled"] is False


async def test_removing_a_provider_removes_its_models(hub: Hub) -> None:
    await hub.add_model("alpha")
    assert (await hub.call("DELETE", f"/api/v1/providers/{hub.provider_id}")).status == 204
    await hub.until_unknown("alpha")
    names = {m["name"] for m in (await hub.call("GET", "/api/v1/models")).json()["items"]}
    assert "alpha" not in names


async def test_only_those_who_may(hub: Hub) -> None:
    user = await hub.person()
    assert (await hub.call("GET", "/api/v1/models", person=user)).status == 200
    for method, path, body in (
        ("GET", "/api/v1/providers", None),
        ("POST", "/api/v1/providers", wish(hub)),
        ("PATCH", f"/api/v1/providers/{hub.provider_id}", {"enabled": False}),
        ("DELETE", f"/api/v1/providers/{hub.provider_id}", None),
        ("POST", f"/api/v1/providers/{hub.provider_id}/test", None),
        ("POST", "/api/v1/models", {}),
        ("PATCH", f"/api/v1/models/{UNKNOWN}", {}),
        ("DELETE", f"/api/v1/models/{UNKNOWN}", None),
    ):
        assert (await hub.call(method, path, body, person=user)).status == 403, (method, path)


async def test_another_process_sees_a_change(hub: Hub, dsn: str, home: Path) -> None:
    settings = settings_for(home, MODULES, AIHUB_EMBEDDED="off")
    async with open_runtime(dsn, settings, MODULES) as other:
        gateway = other.get(Gateway)
        assert "alpha" not in (await gateway.catalogue.snapshot()).by_name
        await hub.add_model("alpha")

        async def known() -> bool:
            return "alpha" in (await gateway.catalogue.snapshot()).by_name

        await until(known, 1)


# ---------------------------------------------------------------- the first start


async def names_of(hub: Hub) -> dict[str, Any]:
    page = (await hub.call("GET", "/api/v1/models?limit=200")).json()
    return {m["name"]: m for m in page["items"]}


async def test_a_first_start_has_a_demonstration_model(hub: Hub) -> None:
    models = await names_of(hub)
    demo = models["smollm2-135m"]
    assert (demo["aliases"], demo["demonstration"], demo["kind"]) == (["demo"], True, "chat")
    assert demo["input_price"] == demo["output_price"] == demo["request_price"] == "0.000000"
    assert models["all-minilm-l6-v2"]["kind"] == "embedding"
    assert (await hub.gateway.default_model(hub.admin.actor)).name == "smollm2-135m"


async def test_keys_in_the_environment_add_providers_once(dsn: str, home: Path) -> None:
    env = {"OPENAI_API_KEY": "sk-env", "ANTHROPIC_API_KEY": "sk-ant", "OPENAI_MODEL": "gpt-77"}
    async with open_hub(dsn, home, **env) as hub:
        models = await names_of(hub)
        assert {"gpt-4", "gpt-77", "gpt-4o-mini", "text-embedding-ada-002"} <= models.keys()
        assert models["claude-haiku-4-5"]["provider_name"] == "anthropic"
        assert models["gpt-4"]["input_price"] == "3600.000000"
        assert (await hub.gateway.default_model(hub.admin.actor)).name == "gpt-77"
        providers = {p["name"]: p for p in (await hub.call("GET", "/api/v1/providers")).json()["items"]}
        assert providers["openai"]["has_api_key"]
        assert (await hub.call("DELETE", f"/api/v1/models/{models['gpt-4o']['id']}")).status == 204
        async with hub.runtime.database.work(system("test")) as work:
            await seed_catalogue(work, hub.runtime)
        again = await names_of(hub)
        assert models.keys() - again.keys() == {"gpt-4o"}


async def test_two_processes_may_start_at_once(dsn: str, home: Path) -> None:
    settings = settings_for(home, MODULES, AIHUB_EMBEDDED="off", OPENAI_API_KEY="sk-env")
    async with open_runtime(dsn, settings, MODULES) as one, open_runtime(dsn, settings, MODULES) as two:

        async def seed(runtime: Any) -> None:
            async with runtime.database.work(system("test")) as work:
                await seed_catalogue(work, runtime)

        await asyncio.gather(*(seed(r) for r in (one, two, one, two)))
        async with one.database.work(system("test")) as work:
            rows = (await work.session.execute(text("select name from providers order by name"))).scalars()
            assert list(rows) == ["embedded", "openai"]


async def test_the_environment_wins_over_what_is_stored(dsn: str, home: Path) -> None:
    fake = FakeProvider(api_key="sk-env")
    async with serving(fake) as url:
        fake.scripts["gpt-4"] = Script(text="from the environment")
        env = {"OPENAI_API_KEY": "sk-env", "OPENAI_BASE_URL": f"{url}/v1"}
        async with open_hub(dsn, home, **env) as hub:
            providers = {p["name"]: p for p in (await hub.call("GET", "/api/v1/providers")).json()["items"]}
            path = f"/api/v1/providers/{providers['openai']['id']}"
            assert (await hub.call("PATCH", path, {"api_key": "sk-stored"})).status == 200
            person = await hub.person(whole=100_000)
            body = {"model": "gpt-4", "messages": [{"role": "user", "content": "x"}]}
            answer = await hub.call("POST", "/v1/chat/completions", body, person=person)
            assert answer.json()["choices"][0]["message"]["content"] == "from the environment"


async def test_the_key_of_the_environment_goes_to_its_address_only(dsn: str, home: Path) -> None:
    async with open_hub(dsn, home, OPENAI_API_KEY="sk-env") as other:
        providers = {p["name"]: p for p in (await other.call("GET", "/api/v1/providers")).json()["items"]}
        path = f"/api/v1/providers/{providers['openai']['id']}"
        moved = {"base_url": f"{other.fake_url}/v1", "allow_private": True}
        assert (await other.call("PATCH", path, moved)).json()["has_api_key"] is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_TEMPERATURE", "1.5"),
        ("OPENAI_TEMPERATURE", "-0.1"),
        ("OPENAI_TEMPERATURE", "warm"),
        ("OPENAI_MAX_TOKENS", "0"),
        ("OPENAI_BASE_URL", "api.openai.com"),
        ("AIHUB_PROVIDER_CONNECT_TIMEOUT", "0"),
        ("AIHUB_MAX_CALLS", "0"),
        ("AIHUB_EMBEDDED", "perhaps"),
    ],
)
def test_bad_settings_stop_the_start(home: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        settings_for(home, MODULES, **{name: value})


async def test_a_model_of_ones_own_comes_first(dsn: str, home: Path) -> None:
    async with open_hub(dsn, home, AIHUB_EMBEDDED_GGUF="/models/My Model Q4.gguf") as hub:
        own = (await names_of(hub))["my-model-q4"]
        assert (own["upstream_name"], own["demonstration"]) == ("My Model Q4", False)
        assert (await hub.gateway.default_model(hub.admin.actor)).name == "my-model-q4"


async def test_a_change_is_told_before_and_after_and_without_the_key(hub: Hub) -> None:
    provider = (await hub.call("POST", "/api/v1/providers", wish(hub, api_key=SECRET))).json()
    hub.provider_id = provider["id"]
    await hub.add_model("alpha")
    changes = {"name": "q", "api_key": "sk-another-secret-0123456789"}
    assert (await hub.call("PATCH", f"/api/v1/providers/{provider['id']}", changes)).status == 200
    models = (await hub.call("GET", "/api/v1/models")).json()["items"]
    model = next(one["id"] for one in models if one["name"] == "alpha")
    changed = {"input_price": "2.5", "aliases": ["first"]}
    assert (await hub.call("PATCH", f"/api/v1/models/{model}", changed)).status == 200
    async with hub.runtime.database.work(system("test")) as work:
        lines = {line.action: line.changes for line in (await audit.page(work, cursor=None, limit=50)).items}
    assert lines["provider.change"] == {"name": ["p", "q"], "api_key": ["[masked]", "[masked]"]}
    told = lines["model.change"] or {}
    assert told.keys() == {"input_price", "aliases"}
    assert told["aliases"] == [[], ["first"]]
    assert str(told["input_price"][1]).startswith("2.5")
