"""What a deed changed: each field that differs, before and after, with secrets masked."""

from collections.abc import Mapping
from typing import Any

from aihub.kernel.audit.masking import MASK, is_secret, masked


def difference(
    before: Mapping[str, object] | None, after: Mapping[str, object] | None
) -> dict[str, list[Any]]:
    """`{field: [before, after]}` of what differs. A field that one side lacks is null there, so that making
    something shows all it has, and removing it all it had.

    Values are compared before they are masked: a secret that was replaced shows as changed, without either.
    """
    old, new = before or {}, after or {}
    changes: dict[str, list[Any]] = {}
    for name in (*old, *(name for name in new if name not in old)):
        was, is_now = _plain(old.get(name)), _plain(new.get(name))
        if was == is_now:
            continue
        if is_secret(name):
            changes[name] = [None if was is None else MASK, None if is_now is None else MASK]
        else:
            changes[name] = [masked(was), masked(is_now)]
    return changes


def lifted(details: Mapping[str, object]) -> tuple[dict[str, object], dict[str, list[Any]]]:
    """The details without what says a before and an after, and those as changes.

    Understood are `{"roles": {"before": …, "after": …}}` and `{"before": {…}, "after": {…}}`.
    """
    rest = dict(details)
    changes: dict[str, list[Any]] = {}
    whole = (rest.get("before"), rest.get("after"))
    if isinstance(whole[0], Mapping) and isinstance(whole[1], Mapping):
        del rest["before"], rest["after"]
        changes |= difference(whole[0], whole[1])
    for name, value in details.items():
        if isinstance(value, Mapping) and value.keys() == {"before", "after"}:
            del rest[name]
            changes |= difference({name: value["before"]}, {name: value["after"]})
    return rest, changes


def _plain(value: object) -> object:
    """Sets and tuples of the same things are the same."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return list(value) if isinstance(value, tuple) else value
