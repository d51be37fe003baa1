"""The hub calls only addresses it has judged, and exactly those."""

from ipaddress import ip_address

import pytest
from sqlalchemy import text
from tests.services.gateway.conftest import Hub
from tests.support.serving import serving
from tests.support.waiting import until

from aihub.kernel.db import system
from aihub.services.gateway.adapters import wire as wires
from aihub.services.gateway.adapters.addresses import check, refusal, resolve
from aihub.services.gateway.adapters.fake import FakeProvider
from aihub.services.gateway.adapters.openai import OpenAIUpstream
from aihub.services.gateway.adapters.wire import Timeouts, Wire
from aihub.services.gateway.contracts import AddressRefused, ProviderUnreachable

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e"]
PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1",
    "100.64.0.1", "100.127.255.254", "192.0.2.1", "198.18.0.1", "203.0.113.9", "240.0.0.1", "255.255.255.255",
    "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "2001:db8::1", "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "5f00::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]  # fmt: skip
NEVER = [
    "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254",
    "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.1.1.1", "ff02::1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "::ffff:0.0.0.0",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_called(address: str) -> None:
    assert refusal(ip_address(address), allow_private=False) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_permission(address: str) -> None:
    assert refusal(ip_address(address), allow_private=False)
    assert refusal(ip_address(address), allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_called(address: str) -> None:
    assert refusal(ip_address(address), allow_private=False)
    assert refusal(ip_address(address), allow_private=True)


BAD_URLS = [
    "", "nonsense", "//example.org", "ftp://example.org", "file:///etc/passwd", "gopher://example.org",
    "http://", "https://user:secret@example.org/v1", "https://user@example.org/v1",
    "https://:secret@example.org", "https://example.org/v1?x=1", "https://example.org/v1#x",
    "http://exa mple.org", "http://[::1", "http://[fe80::1%25eth0]/", "http://localhost./v1",
    "javascript:alert(1)", "http://example.org:99999", "https://example.org/" + "x" * 3000,
    "unix:///run/docker.sock", "http://\u0000/",
]  # fmt: skip
LOOPBACK_SPELLINGS = [
    "http://127.0.0.1/v1", "http://127.1/v1", "http://2130706433/v1", "http://0x7f000001/v1", "http://0177.0.0.1/",
    "http://[::1]/v1", "http://[::ffff:127.0.0.1]/v1", "http://①②⑦.⓪.⓪.①/", "HTTP://127.0.0.1:8080",
    "http://[0:0:0:0:0:0:0:1]:80/", "http:\\\\127.0.0.1\\v1", "http://%31%32%37.0.0.1/",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD_URLS)
async def test_what_cannot_be_a_base_url(url: str) -> None:
    with pytest.raises(AddressRefused):
        await check(url, allow_private=True)


@pytest.mark.parametrize("url", LOOPBACK_SPELLINGS)
async def test_loopback_in_any_spelling(url: str) -> None:
    with pytest.raises(AddressRefused, match="private"):
        await check(url, allow_private=False)


async def test_every_address_of_a_name_is_judged() -> None:
    async def both(host: str, port: int) -> list[str]:
        assert (host, port) == ("api.example.org", 443)
        return ["8.8.8.8", "10.0.0.5"]

    with pytest.raises(AddressRefused, match=r"10\.0\.0\.5"):
        await check("https://API.example.org/v1/", allow_private=False, resolver=both)
    place = await check("https://API.example.org/v1/", allow_private=True, resolver=both)
    assert place.url == "https://api.example.org/v1"
    assert (place.name, place.addresses, place.port) == ("api.example.org", ("8.8.8.8", "10.0.0.5"), 443)


async def test_a_name_without_an_address() -> None:
    with pytest.raises(ProviderUnreachable):
        await check("https://does-not-exist.invalid/v1", allow_private=False)


async def test_localhost_is_resolved_and_refused() -> None:
    assert "127.0.0.1" in await resolve("localhost", 80)
    with pytest.raises(AddressRefused):
        await check("http://localhost:9100/v1", allow_private=False)


async def test_the_connection_goes_to_the_address_that_was_judged() -> None:
    """The name is resolved once, by us; the HTTP client never asks again."""
    fake = FakeProvider()
    async with serving(fake) as url:
        port = int(url.rpartition(":")[2])

        async def ours(_host: str, _port: int) -> list[str]:
            return ["127.0.0.1"]

        wire = Wire(f"http://api.example.invalid:{port}/v1", Timeouts(), allow_private=True, resolver=ours)
        assert "echo" in await OpenAIUpstream(wire, None).models(5)
        await wire.close()


async def test_a_name_that_changes_its_address_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: public when it was judged first, loopback at the next look."""
    monkeypatch.setattr(wires, "CHECK_AGAIN", 0.0)
    fake = FakeProvider()
    async with serving(fake) as url:
        port = int(url.rpartition(":")[2])
        answers = [["192.0.2.1"], ["127.0.0.1"]]

        async def rebinding(_host: str, _port: int) -> list[str]:
            return answers.pop(0)

        # The first address is a documentation one that `allow_private` would admit; here nothing is allowed.
        wire = Wire(f"http://api.example.invalid:{port}/v1", Timeouts(connect=0.3), resolver=rebinding)
        for _ in range(2):
            with pytest.raises(AddressRefused):
                await OpenAIUpstream(wire, None).models(2)
        await wire.close()
    assert answers == []
    assert fake.requests == []


async def test_rebinding_between_judgement_and_connection_has_no_effect() -> None:
    """The resolver's first answer is what is connected to, however it answers later."""
    fake, other = FakeProvider(), FakeProvider(scripts={"other": FakeProvider().scripts["echo"]})
    async with serving(fake) as url, serving(other):
        port = int(url.rpartition(":")[2])
        asked = 0

        async def fickle(_host: str, _port: int) -> list[str]:
            nonlocal asked
            asked += 1
            return ["127.0.0.1"] if asked == 1 else ["127.0.0.2"]

        wire = Wire(f"http://api.example.invalid:{port}/v1", Timeouts(), allow_private=True, resolver=fickle)
        upstream = OpenAIUpstream(wire, None)
        for _ in range(5):
            assert "echo" in await upstream.models(5)
        assert asked == 1
        await wire.close()


async def test_the_next_address_is_tried_when_the_first_is_dead() -> None:
    fake = FakeProvider()
    async with serving(fake) as url:
        port = int(url.rpartition(":")[2])

        async def two(_host: str, _port: int) -> list[str]:
            return ["127.0.0.9", "127.0.0.1"]

        wire = Wire(f"http://api.example.invalid:{port}/v1", Timeouts(), allow_private=True, resolver=two)
        assert "echo" in await OpenAIUpstream(wire, None).models(5)
        await wire.close()


async def test_redirects_are_not_followed_and_proxies_not_used(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    await hub.add_model("alpha")
    body = {"model": "alpha", "messages": [{"role": "user", "content": "x"}]}
    assert (await hub.call("POST", "/v1/chat/completions", body)).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/v1",
        "http://localhost/v1",
        "http://169.254.169.254/",
        "https://u:p@example.org",
        "ftp://example.org",
    ],
)
async def test_a_refused_address_is_not_stored(hub: Hub, url: str) -> None:
    answer = await hub.call("POST", "/api/v1/providers", {"name": "n", "kind": "openai", "base_url": url})
    assert answer.status == 422
    problem = answer.json()
    assert problem["code"] == "provider.address_refused"
    assert problem["remedy"]
    listed = (await hub.call("GET", "/api/v1/providers")).json()["items"]
    assert "n" not in {p["name"] for p in listed}


async def test_permission_for_private_addresses_can_be_withdrawn(hub: Hub) -> None:
    await hub.add_model("alpha")
    path = f"/api/v1/providers/{hub.provider_id}"
    assert (await hub.call("PATCH", path, {"allow_private": False})).status == 422
    assert (await hub.call("PATCH", path, {"base_url": "http://169.254.169.254/"})).status == 422
    answer = await hub.call("GET", "/api/v1/providers")
    assert {p["name"]: p["allow_private"] for p in answer.json()["items"]}["scripted"] is True


async def test_a_stored_private_address_is_judged_at_the_call(hub: Hub) -> None:
    """Whatever is in the table, by whatever means: the check is where the connection is made."""
    await hub.add_model("alpha")
    async with hub.runtime.database.work(system("test")) as work:
        await work.session.execute(text("update providers set allow_private = false where name = 'scripted'"))

    async def refused() -> bool:
        body = {"model": "alpha", "messages": [{"role": "user", "content": "x"}]}
        answer = await hub.call("POST", "/v1/chat/completions", body)
        return bool(answer.status == 400 and answer.json()["error"]["code"] == "provider.address_refused")

    await until(refused)
