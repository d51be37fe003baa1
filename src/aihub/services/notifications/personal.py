"""What the outbox holds about people."""

from aihub.kernel.privacy import table

PERSONAL = (
    table(
        "outbox",
        "Letters the hub wrote to you",
        # The last letter to somebody who is erased goes when it is delivered.
        mine="(owner_id = :person or lower(to_address) = :email) and not fleeting",
        order="id",
        withheld={"sealed": "the text of a letter that is still to be sent; it may hold a link that lets in"},
        called="letters",
        beyond_own=True,
    ),
)
