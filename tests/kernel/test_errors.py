"""Errors: one permanent code each, with a remedy, saying nothing about our insides."""

import importlib
import pkgutil
import re

import aihub
from aihub.kernel.errors import AihubError, FieldError, InvalidRequest, catalogue


def everything() -> list[type[AihubError]]:
    """Every error class of the hub, its modules all imported."""
    for module in pkgutil.walk_packages(aihub.__path__, "aihub."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[AihubError]] = []
    queue = [AihubError]
    while queue:
        cls = queue.pop()
        found.append(cls)
        queue.extend(cls.__subclasses__())
    return [cls for cls in dict.fromkeys(found) if cls.__module__.startswith("aihub.")]


def test_every_error_has_a_code_of_its_own() -> None:
    codes: dict[str, type[AihubError]] = {}
    for cls in everything():
        assert "code" in cls.__dict__, f"{cls.__name__} borrows its parent's code"
        assert cls.code not in codes, f"{cls.__name__} and {codes[cls.code].__name__} share {cls.code}"
        codes[cls.code] = cls
    assert {cls.code for cls in catalogue()} >= set(codes)


def test_every_error_tells_what_to_do() -> None:
    for cls in everything():
        assert re.fullmatch(r"internal|[a-z0-9_]+\.[a-z0-9_]+", cls.code), cls.code
        assert 400 <= cls.status <= 599, cls.code
        assert cls.title, cls.code
        assert not cls.title.endswith("."), cls.code
        assert cls.remedy.endswith((".", ")")), cls.code
        assert cls is AihubError or cls.remedy != AihubError.remedy, cls.code


def test_a_problem_carries_what_rfc_9457_asks_for() -> None:
    error = InvalidRequest(errors=[FieldError("name", "must not be empty")], headers={"X": "1"})
    assert error.problem("req-1") == {
        "type": "urn:aihub:error:request.invalid",
        "title": InvalidRequest.title,
        "status": 422,
        "code": "request.invalid",
        "detail": InvalidRequest.title,
        "remedy": InvalidRequest.remedy,
        "request_id": "req-1",
        "errors": [{"field": "name", "message": "must not be empty", "code": "invalid"}],
    }
