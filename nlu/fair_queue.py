"""Fair queueing: who asks for much queues behind themselves, not in front of everyone else.

Start-time fair queueing (Goyal, Vin and Cheng 1996), first between callers, then between what each of them
asks for: every item gets a start tag, the virtual time at which its lane's earlier items will have had their
share, and the item with the smallest one goes next. O(log n) an item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, NamedTuple, TypeVar

DEBTS = 1024  # lanes without waiting items whose past share is remembered

ItemT = TypeVar("ItemT")
KeyT = TypeVar("KeyT", bound=Hashable)


class Lane(NamedTuple):
    """Whose items these are, and for what; bulk ones can wait."""

    caller: str = ""
    skills: tuple[str, ...] = ()
    bulk: bool = False


OWN = Lane()  # of the server: warm-ups, and copies for trials


class FairQueue(Generic[ItemT]):
    """Items of many lanes, each of some cost; callers share evenly, and so do the lanes of one caller."""

    def __init__(self) -> None:
        self._turns: _Level[str, None] = _Level()
        self._items: dict[str, _Level[Lane, ItemT]] = {}  # of callers that have some

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def callers(self) -> int:
        """How many callers wait."""
        return len(self._items)

    def push(self, lane: Lane, item: ItemT, cost: int) -> None:
        """Let an item wait; `cost` is at least 1."""
        self._turns.push(lane.caller, None, cost)
        self._items.setdefault(lane.caller, _Level()).push(lane, item, cost)

    def pop(self) -> tuple[Lane, ItemT]:
        """Return what goes next.

        Raises:
            IndexError: nothing waits.
        """
        caller, _ = self._turns.pop()
        items = self._items[caller]
        lane, item = items.pop()
        if not items:
            del self._items[caller]
        return lane, item

    def ahead(self, lane: Lane) -> float:
        """Return about what cost would go before a new item of the lane."""
        items = self._items.get(lane.caller)
        own = 0.0 if items is None else items.ahead(lane, items.costs[lane])
        return self._turns.ahead(lane.caller, own)

    def is_light(self, lane: Lane) -> bool:
        """Whether less waits of the caller than of others, or of the lane than of the caller's others."""
        items = self._items.get(lane.caller)
        return self._turns.is_light(lane.caller) or (items is not None and items.is_light(lane))


class _Level(Generic[KeyT, ItemT]):
    """One level of it."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, KeyT, int, ItemT]] = []  # start, number, key, cost, item
        self._numbers = count()  # of equal starts, first come, first served
        self._time = 0  # virtual: the start of what went last
        self._ends: dict[KeyT, int] = {}
        self.costs: Counter[KeyT] = Counter()  # of what waits
        self._cost = 0  # of all that waits

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, key: KeyT, item: ItemT, cost: int) -> None:
        start = max(self._time, self._ends.get(key, 0))
        self._ends[key] = start + cost
        self.costs[key] += cost
        self._cost += cost
        heappush(self._heap, (start, next(self._numbers), key, cost, item))

    def pop(self) -> tuple[KeyT, ItemT]:
        self._time, _, key, cost, item = heappop(self._heap)
        self.costs[key] -= cost
        self._cost -= cost
        if not self.costs[key]:
            del self.costs[key]
        if not self._heap:
            self._ends.clear()  # nobody waits, so nobody owes anything
        elif len(self._ends) > DEBTS + len(self.costs):
            self._ends = {key: end for key, end in self._ends.items() if end > self._time}
        return key, item

    def is_light(self, key: KeyT) -> bool:
        """Whether less than the average waits in a lane."""
        return self.costs[key] * len(self.costs) < self._cost

    def ahead(self, key: KeyT, own: float) -> float:
        """Return about what goes before a new item of a lane: `own`, and as much of each other lane."""
        if not self._heap:
            return 0.0
        others = len(self.costs) - (key in self.costs)
        return min(self._cost, own + others * max(own, self._cost / len(self._heap)))
