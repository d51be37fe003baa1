"""Joining a continued answer to its beginning, so that nothing is said twice.

Models asked to go on often repeat their last words first. What repeats the end of the beginning is
left out, and nothing else; text is held back only as long as it may still turn out to be such a repetition.
They also begin with a letter where a blank belongs, since an answer of its own would: that is put in.
"""

_REACH = 400
_SHORTEST = 8
_SHORTEST_WORD = 4


class Seam:
    """Feed it the continuation piece by piece; it gives back what is new."""

    def __init__(self, beginning: str) -> None:
        self._tail = beginning[-_REACH:]
        self._held = ""
        self._open = bool(beginning)

    def push(self, piece: str) -> str:
        """What of `piece`, and of the pieces held back before, is new."""
        if not self._open:
            return piece
        self._held += piece
        if self._held and self._held in self._tail and len(self._held) < len(self._tail):
            return ""
        return self.end()

    def end(self) -> str:
        """What was held back, once it is clear that no more comes or that it is no repetition."""
        joins = self._open
        self._open = False
        held, self._held = self._held, ""
        for length in range(min(len(held), len(self._tail)), 0, -1):
            if self._tail.endswith(held[:length]) and self._repeats(held, length):
                return held[length:]
        if joins and held and held[0].isalnum() and self._tail[-1:].isalnum():
            return " " + held
        return held

    def _repeats(self, held: str, length: int) -> bool:
        """Whether so much that is the same is a repetition: many letters, or whole words."""
        if length >= _SHORTEST:
            return True
        before, after = self._tail[-length - 1 : -length], held[length : length + 1]
        return length >= _SHORTEST_WORD and not before.isalnum() and not after.isalnum()
