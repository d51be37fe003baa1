"""The gateway: every model of every provider behind one door, metered."""

from aihub.kernel.auth import Permission
from aihub.kernel.module import Module, Part
from aihub.services.gateway import gguf_routes, openai_routes, probes, routes, sharing_routes
from aihub.services.gateway.dialect import openai_error
from aihub.services.gateway.embedded import Embedded
from aihub.services.gateway.gateway import Gateway
from aihub.services.gateway.settings import GatewaySettings

MODULE = Module(
    name="gateway",
    routers=(openai_routes.router, routes.router, sharing_routes.router, gguf_routes.router),
    body_limits={gguf_routes.UPLOAD: lambda settings: settings[GatewaySettings].max_gguf},
    settings=(GatewaySettings,),
    permissions=(
        Permission("gateway:use", "Call models through the API"),
        Permission("models:read", "See the models"),
        Permission("models:manage", "Add, change and remove models"),
        Permission("models:use", "Use restricted models", scopes=("gateway:use", "chat:use")),
        Permission("models:share", "Say who may use a restricted model"),
        Permission("providers:read", "See the providers"),
        Permission("providers:manage", "Add, change, test and remove providers"),
    ),
    parts=(Part(Embedded, Embedded.start), Part(Gateway, Gateway.start)),
    probes=(probes.AI,),
    error_shapes={"/v1/": openai_error},
)
