"""The built web app: hashed files for ever, the page with a fresh nonce each time."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import FileResponse, HTMLResponse, Response

from aihub.kernel.errors import NotFound
from aihub.kernel.http.middleware import page_policy

NONCE = "__CSP_NONCE__"
FOREVER = "public, max-age=31536000, immutable"

_NOT_BUILT = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Smart AI Hub</title>
<style nonce="{NONCE}">body{{font:16px/1.5 system-ui;max-width:36rem;margin:4rem auto;padding:0 1rem}}</style>
</head><body><h1>The web app is not built</h1>
<p>This installation was started from sources without its pages. Run <code>make up</code>, or install a
release wheel. The API answers under <a href="/api/docs">/api/docs</a>.</p></body></html>"""


class _PagePath(Convertor[str]):
    """Any path that is not an API's, so that unknown API paths are 404 and wrong methods there 405."""

    regex = r"(?!api/|v1/).*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("page", _PagePath())


def built_app() -> Path:
    """Where the build put the web app inside the package."""
    return Path(str(files("aihub"))) / "webapp"


def router(folder: Path) -> APIRouter:
    """Serves `folder`; any other path that is not an API's gets the page, which routes itself."""
    routes = APIRouter(include_in_schema=False)
    page_file = folder / "index.html"
    root = folder.resolve()

    @routes.api_route("/{path:page}", methods=["GET", "HEAD"])
    async def page(path: str, request: Request) -> Response:
        if path:
            file = _file(root, path)
            if file is not None and file != page_file.resolve():
                cache = FOREVER if path.startswith("assets/") else "public, max-age=3600"
                return FileResponse(file, headers={"Cache-Control": cache})
            if path.startswith("assets/"):
                raise NotFound()
        nonce = request.scope["state"]["csp_nonce"]
        html = page_file.read_text("utf-8") if page_file.is_file() else _NOT_BUILT
        return HTMLResponse(
            html.replace(NONCE, nonce),
            headers={"Content-Security-Policy": page_policy(nonce), "Cache-Control": "no-store"},
        )

    return routes


def _file(root: Path, path: str) -> Path | None:
    """The file at `path` below `root`, if there is one; the path is a stranger's."""
    try:
        file = (root / path).resolve()
        return file if file.is_relative_to(root) and file.is_file() else None
    except (OSError, ValueError):  # too long for a file name, or with a NUL
        return None
