"""What may leave identity about accounts that are about to be erased."""

from aihub.kernel.errors import Forbidden


class AccountLeaving(Forbidden):
    code = "account.leaving"
    title = "This account is about to be erased"
    remedy = "Sign in and choose 'Keep my account', or call DELETE /api/v1/me/deletion, before that date."
