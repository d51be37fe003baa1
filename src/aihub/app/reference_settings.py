"""The settings as an env file template and as a page of the reference."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from aihub.kernel.limits import LIMITS, Policy
from aihub.kernel.settings import Declared
from aihub.ops.foreign import FOREIGN


def env_template(rows: Sequence[Declared]) -> str:
    """An env file with every variable commented out; parses as shell and as dotenv."""
    return "".join(_template_lines(rows))


def _template_lines(rows: Sequence[Declared]) -> Iterator[str]:
    yield "# Settings of Smart AI Hub. Copy to .env.local, uncomment what you change, chmod 600.\n"
    yield "# Every secret NAME can instead be read from a file: NAME_FILE=/path.\n"
    for section, items in groupby(rows, key=lambda d: d.section):
        yield f"\n# --- {section}\n"
        for item in items:
            yield f"# {item.description}{_also(item)}\n"
            yield f"#{item.env}={_quoted(_shown(item))}\n"


def _also(item: Declared) -> str:
    return f" Also read as {', '.join(item.aliases)}." if item.aliases else ""


def _shown(item: Declared) -> str:
    if item.secret or item.default is None:
        return "" if item.secret else (item.example or "")
    if isinstance(item.default, tuple):
        return ",".join(str(v) for v in item.default)
    return str(item.default).lower() if isinstance(item.default, bool) else str(item.default)


def _quoted(value: str) -> str:
    return f"'{value}'" if any(c in value for c in ' #$&;*?()<>|\\"`') else value


def markdown(rows: Sequence[Declared]) -> str:
    """The reference page of the settings."""
    lines = [
        "# Settings",
        "",
        "Made from the code by `make docs`. Values come from the environment, then from the file that",
        "`NAME_FILE` names (secrets only), then from `.env.local` in the working folder, then from `env` in",
        "the hub's home. An unknown name that starts with `AIHUB_` stops the start.",
    ]
    for section, items in groupby(rows, key=lambda d: d.section):
        lines += ["", f"## {section}", "", "| variable | default | meaning |", "|---|---|---|"]
        for item in items:
            default = (
                "secret" if item.secret else f"`{_shown(item)}`" if item.default is not None else "unset"
            )
            also = f" Also read as {', '.join(f'`{a}`' for a in item.aliases)}." if item.aliases else ""
            lines.append(f"| `{item.env}` | {default} | {item.description}{also} |")
    lines += [
        "", "## Names from other systems", "",
        "The hub does not read these, and `aihub doctor` says so where they are set.", "",
        "| variable | instead |", "|---|---|",
    ]  # fmt: skip
    lines += [f"| `{name}` | {advice} |" for name, advice in FOREIGN.items()]
    lines += [
        "", "## Limits", "",
        "`AIHUB_LIMITS` changes them: `AIHUB_LIMITS='edge.api=20/1s burst 40,ai.query=30/1m'`. They hold",
        "across processes when Redis is configured. Behind a reverse proxy, name it in",
        "`AIHUB_TRUSTED_PROXIES`, or all its visitors count as one address.", "",
        "| limit | allows |", "|---|---|",
    ]  # fmt: skip
    lines += [f"| `{policy.name}` | {_allowed(policy)} |" for policy in LIMITS.values()]
    return "\n".join(lines) + "\n"


def _allowed(policy: Policy) -> str:
    burst = f", {policy.burst} at once" if policy.burst else ""
    return f"{policy.limit} {policy.counts} per {policy.per:g} s{burst}"
