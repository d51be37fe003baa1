"""What the reference is made from is sound: errors, settings, the env template, the API page."""

import re
import subprocess
from pathlib import Path

from dotenv import dotenv_values
from tools.reference import ROOT, generated, openapi

from aihub.app.modules import MODULES
from aihub.app.reference import page
from aihub.app.reference_settings import env_template
from aihub.app.settings import GROUPS
from aihub.kernel.errors import AihubError, catalogue
from aihub.kernel.http.middleware import page_policy
from aihub.kernel.limits import LIMITS
from aihub.kernel.settings import declared, load
from aihub.ops.foreign import FOREIGN


def test_no_generated_page_names_a_machine() -> None:
    for path, text in generated().items():
        assert not re.search(r"/(?:root|work|home)/|\.internal\b", text), path


# ---------------------------------------------------------------- errors


def _every_error() -> list[type[AihubError]]:
    generated()  # imports every module
    found, queue = [], [AihubError]
    while queue:
        cls = queue.pop()
        queue.extend(cls.__subclasses__())
        if cls.__module__.startswith("aihub."):
            found.append(cls)
    return found


def test_every_error_has_a_code_of_its_own() -> None:
    owners: dict[str, type[AihubError]] = {}
    for cls in _every_error():
        if "code" in vars(cls):
            assert cls.code not in owners, f"{cls.__name__} and {owners[cls.code].__name__} share {cls.code}"
            owners[cls.code] = cls
    assert [cls.__name__ for cls in _every_error() if cls.code == "internal"] == ["AihubError"]


def test_errors_say_what_happened_and_what_to_do() -> None:
    for cls in catalogue():
        if not cls.__module__.startswith("aihub."):  # tests declare errors of their own
            continue
        assert re.fullmatch(r"internal|[a-z_]+(\.[a-z_]+)+", cls.code), cls
        assert 400 <= cls.status < 600, cls
        assert cls.title, cls
        assert not cls.title.endswith("."), cls
        assert cls.remedy.endswith("."), cls


# ---------------------------------------------------------------- settings


def test_the_settings_are_those_of_the_modules() -> None:
    of_modules = [group for module in MODULES for group in module.settings]
    assert set(GROUPS) == set(of_modules)
    assert len(GROUPS) == len(of_modules)


def test_every_variable_has_one_meaning_and_is_explained() -> None:
    rows = declared(GROUPS)
    names = [name for row in rows for name in row.names]
    assert len(names) == len(set(names))
    assert not set(names) & set(FOREIGN)
    text = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    for row in rows:
        assert row.description.endswith("."), row.env
        assert row.section, row.env
        assert f"| `{row.env}` |" in text
        assert not (row.default and row.secret), f"{row.env} is a secret with a default"
    for name in (*FOREIGN, *LIMITS):
        assert f"| `{name}` |" in text


def test_the_template_is_read_by_bash_and_by_dotenv(tmp_path: Path) -> None:
    rows = declared(GROUPS)
    template = ROOT / ".env.production"
    assert dotenv_values(template) == {}
    # Every line uncommented, as somebody who fills all of it in would have it.
    text = re.sub(r"^#(?=[A-Z][A-Z0-9_]*=)", "", env_template(rows), flags=re.MULTILINE)
    full = tmp_path / "full"
    full.write_text(text, "utf-8")
    by_dotenv = dotenv_values(full, interpolate=False)
    assert list(by_dotenv) == [row.env for row in rows]
    script = f"set -eu; unset $(env | cut -d= -f1 | grep -v -x -e PATH -e _); set -a; . {full}; env -0"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    by_bash = dict(item.split("=", 1) for item in done.stdout.split("\0") if "=" in item)
    assert {name: by_bash[name] for name in by_dotenv} == by_dotenv


def test_the_template_shows_the_defaults() -> None:
    text = re.sub(r"^#(?=[A-Z][A-Z0-9_]*=)", "", env_template(declared(GROUPS)), flags=re.MULTILINE)
    values = dict(
        line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#")
    )
    given = {name: value.strip("'") for name, value in values.items()}
    by_default = {row.env: row.default for row in declared(GROUPS)}
    same = {name: value for name, value in given.items() if by_default[name] is not None}
    template, plain = load(GROUPS, same), load(GROUPS, {})
    assert [(r.declared.env, r.value) for r in template.rows()] == [
        (r.declared.env, r.value) for r in plain.rows()
    ]


# ---------------------------------------------------------------- the API page


def test_the_api_page_has_no_script_and_escapes_what_it_shows() -> None:
    described = openapi()
    described["info"]["title"] = "<script>alert(1)</script>"
    described["paths"]["/<img src=x onerror=alert(1)>"] = {
        "get": {
            "description": "<b onclick=alert(1)>",
            "tags": ["</h2><script>"],
            "parameters": [{"name": '"><script>', "in": "query", "schema": {"type": "<i>"}}],
            "requestBody": {"content": {"<u>": {"schema": {"properties": {"<a>": {"type": "string"}}}}}},
            "responses": {},
            "security": [{"key": []}],
            "x-permission": "<em>",
        }
    }
    html = page(described, "abc")
    for tag in ("<script", "<img", "<b ", "<i>", "<u>", "<a>", "<em>"):
        assert tag not in html
    assert html.count("<style") == html.count('<style nonce="abc">') == 1
    assert " style=" not in html
    assert " onclick" not in html.replace("&lt;b onclick", "")


def test_the_policy_of_pages_lets_nothing_unsafe_in() -> None:
    policy = page_policy("abc")
    assert "unsafe" not in policy
    assert "*" not in policy
    for part in (
        "default-src 'self'",
        "script-src 'self' 'nonce-abc'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    ):
        assert part in policy
