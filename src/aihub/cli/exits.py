"""Exit codes, a contract for scripts, and how an error looks on a terminal.

0 done · 1 the hub refused or failed, the message says why · 2 the command line is wrong ·
3 a check found problems · 130 interrupted
"""

import json
import os
import sys
from collections.abc import Callable

from cyclopts import CycloptsError

DONE, FAILED, USAGE, FINDINGS, INTERRUPTED = 0, 1, 2, 3, 130


class Stop(SystemExit):
    """Leave a verb with an exit code."""


def guarded(run: Callable[..., object]) -> int:
    """Run the command line and turn its outcome into an exit code. The edge of the CLI."""
    as_json = "--json" in sys.argv
    try:
        run(exit_on_error=False, print_error=True, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError:
        return USAGE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILED
    except Exception as exc:  # noqa: BLE001 - the edge of the CLI
        return _report(exc, as_json)
    return DONE


def _report(exc: Exception, as_json: bool) -> int:
    code = getattr(exc, "code", None)
    if isinstance(code, str):
        title = str(getattr(exc, "title", ""))
        detail = str(getattr(exc, "detail", None) or title or exc)
        remedy = str(getattr(exc, "hint", None) or getattr(exc, "remedy", ""))
    else:
        if os.environ.get("DEBUG", "").lower() in ("1", "true", "yes", "on"):
            raise exc
        code, title = "internal", "Something unforeseen happened"
        detail = f"{type(exc).__name__}: {exc}".strip()
        remedy = "Look with 'aihub doctor'; run it again with DEBUG=true for the whole story, and report it."
    fields = [{"field": e.field, "message": e.message} for e in getattr(exc, "errors", ())]
    if as_json:
        error: dict[str, object] = {"code": code, "detail": detail, "remedy": remedy}
        print(json.dumps({"error": error | ({"errors": fields} if fields else {})}))
        return FAILED
    print(f"error: {title}" if title else "error", file=sys.stderr)
    if detail != title:
        print(f"  {detail}", file=sys.stderr)
    for field in fields:
        print(f"  {field['field']} {field['message']}", file=sys.stderr)
    print(f"  → {remedy}  [{code}]", file=sys.stderr)
    return FAILED
