"""Which account a call is paid from, as a piece of a statement."""

# A key with an account of its own pays from it, every other caller from the user's.
PAYER = """
  select id from ledger_accounts
  where owner_id = :owner and (key_id is null or key_id = cast(:key as uuid))
  order by key_id nulls last limit 1
"""
