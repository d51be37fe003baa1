"""What the ledger holds about people. Money that moved stays on the books, under a pseudonym."""

from collections.abc import AsyncIterator

from aihub.kernel.db import Work
from aihub.kernel.privacy import PersonalData, Piece, Sheet, Subject, count, select_rows, table
from aihub.kernel.privacy.tables import OWNED
from aihub.services.credits.closing import close_for_good
from aihub.services.credits.domain import credits_text

_MONEY = ("balance", "held", "amount", "charged", "balance_after")
_KEPT = "What was paid and used must stay on the books, so that they add up and can be audited."
_ANONYMOUS = "Your id becomes a pseudonym, and reasons and references that somebody wrote are removed."


def _kept(name: str, title: str) -> PersonalData:
    async def counted(work: Work, subject: Subject) -> int:
        return await count(work, name, OWNED, subject)

    async def export(work: Work, subject: Subject) -> AsyncIterator[Piece]:
        rows = select_rows(
            work, name, OWNED, subject, order="id", convert=dict.fromkeys(_MONEY, credits_text)
        )
        yield Sheet(f"data/{name}.json", rows)

    return PersonalData(
        name, title, (name,), counted, export, _FORGET[name], kept=_KEPT, anonymous=_ANONYMOUS
    )


async def _close(work: Work, subject: Subject) -> int:
    return await close_for_good(work, subject.id, subject.pseudonym)


async def _nothing(_work: Work, _subject: Subject) -> int:
    """Dealt with together with the accounts."""
    return 0


_FORGET = {"ledger_accounts": _close, "ledger_holds": _nothing, "ledger_entries": _nothing}

PERSONAL = (
    table(
        "key_budgets",
        "What your keys may spend",
        order="key_id",
        convert=dict.fromkeys(("amount", "spent", "held"), credits_text),
    ),
    _kept("ledger_entries", "Every movement of your credits"),
    _kept("ledger_holds", "Credits set aside for calls"),
    _kept("ledger_accounts", "Your accounts and their balances"),
)
