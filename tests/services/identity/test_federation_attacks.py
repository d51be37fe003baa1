"""A provider that lies, a network that interferes, and tokens that are not what they say."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OctKey, RSAKey
from sqlalchemy import text
from tests.services.conftest import Client, MakeClient, MakeUser
from tests.services.identity.federated import BROWSER
from tests.support.oidc.scripted import CLIENT_ID, SECRET, ScriptedProvider

from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime

REFUSED = "/sign-in?problem=federation.token_refused"
UNFIT = "/sign-in?problem=federation.provider_unfit"


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as running:
        yield running


@pytest.fixture
async def admin(client: MakeClient, make_user: MakeUser) -> Client:
    await make_user("ada", "super_admin")
    ada = client()
    await ada.sign_in("ada@example.org")
    return ada


class Scene:
    """One browser, one hub, and the scripted provider."""

    def __init__(self, client: Client, provider: ScriptedProvider) -> None:
        self.client, self.provider = client, provider
        self.asked: dict[str, str] = {}
        self.browser = ""

    async def depart(self) -> None:
        answer = await self.client("POST", "/api/v1/session/oidc", {"provider": "scripted"})
        assert answer.status == 200, answer.body
        self.asked = {n: v[0] for n, v in parse_qs(urlsplit(answer.body["url"]).query).items()}
        self.browser = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]

    def claims(self, **other: Any) -> dict[str, Any]:
        """What an honest provider would say; None leaves a claim out."""
        now = int(time.time())
        said = {
            "iss": self.provider.issuer,
            "sub": "grace",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            "email": "grace@example.org",
            "email_verified": True,
        } | other
        return {name: value for name, value in said.items() if value is not None}

    async def come_back(self, **query: str | None) -> str:
        """Bring the answer of the provider; the page that follows."""
        said = {"code": "a-code", "state": self.asked["state"], "iss": self.provider.issuer} | query
        path = f"/api/v1/session/oidc/scripted/callback?{'&'.join(f'{n}={v}' for n, v in said.items() if v)}"
        answer = await self.client("GET", path, headers={"Cookie": f"{BROWSER}={self.browser}"})
        assert answer.status == 303, answer.body
        return str(answer.headers["location"])

    async def with_token(self, token: Callable[[], str], **more: Any) -> str:
        """Sign in while the provider hands out this token."""
        await self.depart()
        self.provider.token = lambda form: {"id_token": token(), "token_type": "Bearer", **more}
        return await self.come_back()

    async def saying(self, **claims: Any) -> str:
        """Sign in while the provider says this of the person."""
        return await self.with_token(lambda: self.provider.signed(self.claims(**claims)))


@pytest.fixture
async def scene(client: MakeClient, admin: Client, provider: ScriptedProvider) -> Scene:
    wish = {
        "handle": "scripted",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "allow_private": True,
        "create_accounts": True,
    }
    made = await admin("POST", "/api/v1/sign-in-providers", wish)
    assert made.status == 201, made.body
    return Scene(client(), provider)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def sessions(hub: Runtime) -> int:
    async with hub.database.work(system("test")) as work:
        return int(await work.session.scalar(text("select count(*) from sessions")) or 0)


async def test_the_honest_answer_signs_in(scene: Scene, hub: Runtime) -> None:
    """Without this, a refusal below would prove nothing."""
    assert await scene.saying() == "/"
    form = scene.provider.forms[-1]
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert _text(digest) == scene.asked["code_challenge"]
    assert form["redirect_uri"] == scene.asked["redirect_uri"]
    assert await sessions(hub) == 2


WRONG: Mapping[str, dict[str, Any]] = {
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody-else"},
    "no audience": {"aud": None},
    "several audiences without saying for whom": {"aud": [CLIENT_ID, "other"]},
    "several audiences and made for another": {"aud": [CLIENT_ID, "other"], "azp": "other"},
    "made for another": {"azp": "other"},
    "expired": {"exp": int(time.time()) - 3600},
    "no end": {"exp": None},
    "an end that is no time": {"exp": "tomorrow"},
    "an end beyond all time": {"exp": 1e300},
    "made in the future": {"iat": int(time.time()) + 3600},
    "made long ago": {"iat": int(time.time()) - 7200},
    "no beginning": {"iat": None},
    "not valid yet": {"nbf": int(time.time()) + 3600},
    "nobody": {"sub": None},
    "an empty name": {"sub": " "},
    "a number for a name": {"sub": 7},
    "a very long name": {"sub": "x" * 256},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


async def test_a_token_that_says_something_else_signs_nobody_in(scene: Scene, hub: Runtime) -> None:
    pages = {name: await scene.saying(**claims) for name, claims in WRONG.items()}
    assert pages == dict.fromkeys(WRONG, REFUSED)
    assert await sessions(hub) == 1  # the administrator's


async def test_an_access_token_that_belongs_to_the_token_is_taken(scene: Scene) -> None:
    half = hashlib.sha256(b"the-access-token").digest()[:16]
    at_hash = _text(half)

    def token() -> str:
        return scene.provider.signed(scene.claims(at_hash=at_hash))

    assert await scene.with_token(token, access_token="the-access-token") == "/"
    assert await scene.with_token(token, access_token="another") == REFUSED


async def test_tokens_that_nobody_or_anybody_signed_are_refused(scene: Scene, hub: Runtime) -> None:
    """`none`, and HMAC with what everybody knows: the public key, or with the secret both sides know."""
    key = scene.provider.key
    public = KeySet([key]).as_dict(private=False)["keys"][0]

    def bare(algorithm: str, secret: bytes | None = None) -> str:
        parts = ({"alg": algorithm, "kid": key.kid}, scene.claims())
        said = ".".join(_text(json.dumps(part).encode()) for part in parts)
        signature = b"" if secret is None else hmac.digest(secret, said.encode(), "sha256")
        return f"{said}.{_text(signature)}"

    def hashed(secret: bytes) -> str:
        return bare("HS256", secret)

    pem = key.as_pem(private=False)
    forged: list[Callable[[], str]] = [
        lambda: bare("none"),
        lambda: bare("None"),
        lambda: bare("RS256"),
        lambda: hashed(pem),
        lambda: hashed(json.dumps(public).encode()),
        lambda: hashed(SECRET.encode()),
        lambda: "not.a.token",
        lambda: "x" * 70_000 + "..",
    ]
    for token in forged:
        assert await scene.with_token(token) == REFUSED
    assert await sessions(hub) == 1


async def test_a_provider_that_offers_a_shared_key_is_refused(scene: Scene) -> None:
    shared = b"a key that both sides and everybody else know"
    scene.provider.published = {"keys": [{"kty": "oct", "k": _text(shared), "kid": "first"}]}

    def hashed() -> str:
        key = OctKey.import_key(shared)
        return jwt.encode({"alg": "HS256", "kid": "first"}, scene.claims(), key, algorithms=["HS256"])

    assert await scene.with_token(hashed) == REFUSED
    assert await scene.saying() == UNFIT


async def test_another_key_of_the_same_name_or_kind_does_not_sign(scene: Scene) -> None:
    other = RSAKey.generate_key(2048, {"kid": "first"}, auto_kid=False)
    unknown = RSAKey.generate_key(2048, {"kid": "second"}, auto_kid=False)
    curve = ECKey.generate_key("P-256", {"kid": "first"}, auto_kid=False)
    assert await scene.with_token(lambda: scene.provider.signed(scene.claims(), other)) == REFUSED
    assert await scene.with_token(lambda: scene.provider.signed(scene.claims(), unknown)) == REFUSED
    assert (
        await scene.with_token(lambda: scene.provider.signed(scene.claims(), curve, alg="ES256")) == REFUSED
    )

    # A key that the token brings along is nobody's.
    def brought() -> str:
        return scene.provider.signed(scene.claims(), other, jku=f"{scene.provider.issuer}/x")

    assert await scene.with_token(brought) == REFUSED
    assert "/x" not in scene.provider.asked


def _signed(scene: Scene, key: Key, algorithm: str) -> str:
    return scene.provider.signed(scene.claims(), key, alg=algorithm)


async def test_keys_that_are_meant_for_something_else_do_not_sign(scene: Scene, client: MakeClient) -> None:
    public = KeySet([scene.provider.key]).as_dict(private=False)["keys"][0]
    scene.provider.published = {"keys": [public | {"use": "enc"}]}
    assert await scene.saying() == UNFIT


async def test_an_unknown_key_does_not_make_the_hub_ask_the_provider_all_the_time(scene: Scene) -> None:
    unknown = RSAKey.generate_key(2048, {"kid": "second"}, auto_kid=False)
    for _ in range(5):
        assert await scene.with_token(lambda: scene.provider.signed(scene.claims(), unknown)) == REFUSED
    assert scene.provider.asked.count("/keys") == 2


async def test_a_token_without_a_key_id_needs_a_provider_with_one_key(scene: Scene) -> None:
    def nameless() -> str:
        return jwt.encode({"alg": "RS256"}, scene.claims(), scene.provider.key, algorithms=["RS256"])

    assert await scene.with_token(nameless) == "/"


async def test_a_provider_that_calls_itself_something_else_is_refused(scene: Scene, admin: Client) -> None:
    for issuer in ("https://evil.example", f"{scene.provider.issuer}/", scene.provider.issuer.upper()):
        scene.provider.says = {"issuer": issuer}
        answer = await scene.client("POST", "/api/v1/session/oidc", {"provider": "scripted"})
        assert (answer.status, answer.code) == (502, "federation.issuer_changed")
    listed = (await admin("GET", "/api/v1/sign-in-providers")).body["items"]
    checked = await admin("POST", f"/api/v1/sign-in-providers/{listed[0]['id']}/check")
    assert checked.code == "federation.issuer_changed"
    changed = await admin(
        "PATCH", f"/api/v1/sign-in-providers/{listed[0]['id']}", {"issuer": "https://b.example"}
    )
    assert changed.status in (200, 422)
    assert (await admin("GET", "/api/v1/sign-in-providers")).body["items"][0][
        "issuer"
    ] == scene.provider.issuer


async def test_an_answer_that_names_another_provider_is_refused(scene: Scene) -> None:
    """Mix-up: an answer of another provider is brought to this one (RFC 9207)."""
    scene.provider.token = lambda form: {"id_token": scene.provider.signed(scene.claims())}
    for said in ("https://evil.example", None):
        await scene.depart()
        assert await scene.come_back(iss=said) == "/sign-in?problem=federation.attempt_invalid"
    assert scene.provider.forms == []  # the code was not given away
    await scene.depart()
    assert await scene.come_back() == "/"


async def test_a_state_of_somebody_else_or_of_nobody_is_refused(scene: Scene) -> None:
    await scene.depart()
    for state in ("x" * 43, None):
        assert await scene.come_back(state=state) == "/sign-in?problem=federation.attempt_invalid"
    assert scene.provider.forms == []


async def test_userinfo_about_somebody_else_is_refused(scene: Scene, provider: ScriptedProvider) -> None:
    provider.says = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}

    def token() -> str:
        return provider.signed(scene.claims(email=None, email_verified=None))

    provider.userinfo = {"sub": "mallory", "email": "mallory@example.org", "email_verified": True}
    assert await scene.with_token(token, access_token="a") == UNFIT
    provider.userinfo = {"sub": "grace", "email": "grace@example.org", "email_verified": True}
    assert await scene.with_token(token, access_token="a") == "/"


PUBLISHED: Mapping[str, dict[str, Any]] = {
    "no token endpoint": {"token_endpoint": None},
    "a script in the place of a page": {"authorization_endpoint": "javascript:alert(1)"},
    "a file": {"jwks_uri": "file:///etc/passwd"},
    "no code flow": {"response_types_supported": ["token"]},
    "only plain PKCE": {"code_challenge_methods_supported": ["plain"]},
    "no issuer": {"issuer": None},
}


async def test_a_description_that_does_not_fit_is_refused(scene: Scene) -> None:
    found = {}
    for name, says in PUBLISHED.items():
        scene.provider.says = says
        answer = await scene.client("POST", "/api/v1/session/oidc", {"provider": "scripted"})
        found[name] = (answer.status, answer.code)
    assert found == dict.fromkeys(PUBLISHED, (502, "federation.provider_unfit"))


async def test_a_provider_cannot_send_the_hub_to_its_neighbours(scene: Scene, admin: Client) -> None:
    """What a provider publishes is checked like what an administrator types."""
    scene.provider.says = {"token_endpoint": "http://169.254.169.254/token"}
    scene.provider.token = lambda form: {"id_token": scene.provider.signed(scene.claims())}
    await scene.depart()
    assert await scene.come_back() == UNFIT
    listed = (await admin("GET", "/api/v1/sign-in-providers")).body["items"]
    path = f"/api/v1/sign-in-providers/{listed[0]['id']}"
    assert (await admin("PATCH", path, {"allow_private": False})).status == 422  # its issuer is plain http
    wish = {"handle": "inside", "issuer": "https://127.0.0.1:1", "client_id": "x"}
    made = await admin("POST", "/api/v1/sign-in-providers", wish)
    checked = await admin("POST", f"/api/v1/sign-in-providers/{made.body['id']}/check")
    assert (checked.status, checked.code) == (422, "federation.address_refused")
    answer = await scene.client("POST", "/api/v1/session/oidc", {"provider": "inside"})
    assert answer.code == "federation.provider_unfit"
    assert "127.0.0.1" not in str(answer.body)


async def test_answers_of_the_token_page_become_words(scene: Scene, provider: ScriptedProvider) -> None:
    await scene.depart()
    provider.status["/token"] = 400
    provider.token = lambda form: {"error": "invalid_grant"}
    assert await scene.come_back() == "/sign-in?problem=federation.attempt_invalid"
    for said, page in (
        ({"error": "invalid_client"}, UNFIT),
        ({"error": "server_error"}, "/sign-in?problem=federation.provider_error"),
        ({}, "/sign-in?problem=federation.provider_error"),
    ):
        await scene.depart()
        provider.token = lambda form, said=said: said
        assert await scene.come_back() == page
    provider.status.clear()
    await scene.depart()
    provider.token = lambda form: {"access_token": "only"}
    assert await scene.come_back() == UNFIT


async def test_a_huge_answer_is_not_read_to_its_end(scene: Scene, provider: ScriptedProvider) -> None:
    await scene.depart()
    provider.token = lambda form: {"id_token": "x" * (2 * 1024 * 1024)}
    assert await scene.come_back() == UNFIT


async def test_the_secret_goes_where_the_provider_wants_it(scene: Scene, provider: ScriptedProvider) -> None:
    provider.token = lambda form: {"id_token": provider.signed(scene.claims())}
    provider.says = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await scene.depart()
    assert await scene.come_back() == "/"
    assert provider.forms[-1]["client_secret"] == SECRET
    assert provider.forms[-1]["client_id"] == CLIENT_ID


async def test_the_secret_is_sealed_and_in_no_answer(scene: Scene, admin: Client, hub: Runtime) -> None:
    async with hub.database.work(system("test")) as work:
        kept = (await work.session.execute(text("select * from identity_providers"))).mappings().one()
        audited = list(await work.session.scalars(text("select details::text from audit_log")))
    assert kept["client_secret"] is not None
    assert SECRET.encode() not in bytes(kept["client_secret"])
    assert all(SECRET not in line for line in audited)
    assert SECRET not in str((await admin("GET", "/api/v1/sign-in-providers")).body)
