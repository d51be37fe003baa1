"""Credits: accounts, reservations and an append-only ledger."""

from aihub.kernel.auth import Permission
from aihub.kernel.module import Module, Part
from aihub.services.credits import jobs, routes
from aihub.services.credits.personal import PERSONAL
from aihub.services.credits.service import Ledger, LedgerWallets
from aihub.services.credits.settings import CreditsSettings
from aihub.services.identity.contracts import Wallets

MODULE = Module(
    name="credits",
    routers=(routes.router,),
    settings=(CreditsSettings,),
    permissions=(
        Permission("credits:read", "See one's own credits and what they were spent on"),
        Permission("credits:adjust", "Give credits to users"),
    ),
    jobs=(jobs.TIDY,),
    parts=(Part(Ledger, Ledger.start), Part(Wallets, LedgerWallets.start)),
    personal=PERSONAL,
)
