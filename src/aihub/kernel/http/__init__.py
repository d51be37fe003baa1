"""How requests come in: plain ASGI middleware, problem details, static pages."""
