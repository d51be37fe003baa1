"""A browser that signs in to a hub with a provider, and what tests ask the hub about it."""

from sqlalchemy import text
from tests.services.conftest import Answer, Client
from tests.support.oidc import CLIENT_ID, SECRET, RealProvider, Visitor

from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service

HANDLE = "team"
BROWSER = "__Host-aihub-sign-in"


class Guest:
    """A browser at the hub that signs in with the provider."""

    def __init__(self, client: Client, visitor: Visitor) -> None:
        self.client, self.visitor = client, visitor
        self.browser: str | None = None
        self.asked = False
        self.stays = False
        """Whether the provider still knows the browser from the last time."""

    async def __call__(self, method: str, path: str, body: object = None) -> Answer:
        cookies = [f"{BROWSER}={self.browser}"] if self.browser else []
        cookies += [f"{service.COOKIE}={self.client.cookie}"] if self.client.cookie else []
        answer = await self.client(method, path, body, headers={"Cookie": "; ".join(cookies)})
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if name == BROWSER:
                self.browser = value
                assert "HttpOnly" in line
                assert "Secure" in line
                assert "samesite=lax" in line.lower()
            elif name == service.COOKIE:
                self.client.cookie = value
        return answer

    async def depart(self, path: str = "/api/v1/session/oidc", **more: str) -> str:
        answer = await self("POST", path, {"provider": HANDLE, **more})
        assert answer.status == 200, answer.body
        return str(answer.body["url"])

    async def back_from(self, url: str, name: str | None) -> str:
        """The path of the callback that the provider sends the browser to."""
        base = str(self.client.http.base_url)
        if not self.stays:
            self.visitor.http.cookies.clear()
        found, self.asked = await self.visitor.sign_in(url, name, f"{base}/api/v1/session/oidc/")
        return found.removeprefix(base)

    async def sign_in(self, name: str | None, **more: str) -> str:
        """The page that the hub goes on to."""
        answer = await self("GET", await self.back_from(await self.depart(**more), name))
        assert answer.status == 303, answer.body
        return str(answer.headers["location"])

    async def enter(self, name: str) -> dict[str, object]:
        """Sign in, and who that is."""
        assert await self.sign_in(name) == "/"
        session = await self("GET", "/api/v1/session")
        assert session.status == 200, session.body
        self.client.csrf = session.body["csrf_token"]
        return dict(session.body["user"])


async def set_up(admin: Client, provider: RealProvider, **more: object) -> dict[str, object]:
    """The provider at the hub, and the hub at the provider."""
    wish = {
        "handle": HANDLE,
        "name": "Team login",
        "issuer": provider.issuer,
        "client_id": f"{CLIENT_ID}-{admin.http.base_url.port}",
        "client_secret": SECRET,
        "allow_private": True,
        "create_accounts": True,
    }
    made = await admin("POST", "/api/v1/sign-in-providers", wish | more)
    assert made.status == 201, made.body
    provider.client(f"{admin.http.base_url}{made.body['redirect_path']}", str(wish["client_id"]))
    return dict(made.body)


async def roles_of(hub: Runtime, email: str) -> set[str]:
    async with hub.database.work(system("test")) as work:
        user = await service.find_user_by_email(work, email)
    assert user is not None
    return set(user.roles)


async def actions(hub: Runtime) -> list[str]:
    async with hub.database.work(system("test")) as work:
        return list(await work.session.scalars(text("select action from audit_log order by seq")))


async def change(admin: Client, **wish: object) -> None:
    listed = await admin("GET", "/api/v1/sign-in-providers")
    found = next(item for item in listed.body["items"] if item["handle"] == HANDLE)
    answer = await admin("PATCH", f"/api/v1/sign-in-providers/{found['id']}", wish)
    assert answer.status == 200, answer.body
