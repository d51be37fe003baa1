"""Identity: people, roles, permissions, browser sessions, tokens and API keys."""

from aihub.kernel.auth import Permission
from aihub.kernel.crypto import Crypto
from aihub.kernel.limits import Limiter
from aihub.kernel.module import Module, Part
from aihub.kernel.runtime import Runtime
from aihub.services.identity import jobs
from aihub.services.identity.adapters.oidc import OidcProviders
from aihub.services.identity.domain import BUILT_IN_ROLES
from aihub.services.identity.notable import NOTABLE
from aihub.services.identity.personal import PERSONAL
from aihub.services.identity.routes import (
    bulk_invitations,
    devices,
    federation,
    invitations,
    keys,
    passkeys,
    people,
    recovery,
    roles,
    second_factor,
    sessions,
    sign_in_providers,
    tokens,
    users,
)
from aihub.services.identity.service import Doorkeeper, IdentityAuthenticator, TokenDesk
from aihub.services.identity.settings import IdentitySettings


async def _doorkeeper(runtime: Runtime) -> Doorkeeper:
    return Doorkeeper(runtime.database, runtime.get(Crypto), runtime.get(Limiter))


async def _providers(_: Runtime) -> OidcProviders:
    return OidcProviders()


MODULE = Module(
    name="identity",
    routers=(
        sessions.router,
        devices.router,
        passkeys.router,
        second_factor.router,
        keys.router,
        people.router,
        users.router,
        roles.router,
        invitations.router,
        bulk_invitations.router,
        recovery.router,
        federation.router,
        sign_in_providers.router,
        tokens.router,
    ),
    public_paths=sessions.PUBLIC
    | passkeys.PUBLIC
    | invitations.PUBLIC
    | recovery.PUBLIC
    | federation.PUBLIC
    | tokens.PUBLIC,
    settings=(IdentitySettings,),
    permissions=(
        Permission("keys:read", "See one's own API keys"),
        Permission("keys:manage", "Make and revoke one's own API keys"),
        Permission("users:read", "See people"),
        Permission("users:create", "Create accounts"),
        Permission("users:update", "Change and deactivate accounts"),
        Permission("users:delete", "Delete accounts"),
        Permission("roles:read", "See roles and what they allow"),
        Permission("roles:assign", "Give and take roles"),
        Permission("roles:manage", "Make, change and delete roles"),
        Permission("sso:read", "See the providers that people sign in with"),
        Permission("sso:manage", "Set up the providers that people sign in with"),
    ),
    roles=BUILT_IN_ROLES,
    jobs=(jobs.TIDY, jobs.ENDED_ACCESS, jobs.RESET_PASSWORD),
    parts=(
        Part(TokenDesk, TokenDesk.start),
        Part(IdentityAuthenticator, IdentityAuthenticator.start),
        Part(Doorkeeper, _doorkeeper),
        Part(OidcProviders, _providers),
    ),
    notable=NOTABLE,
    personal=PERSONAL,
)
