"""So many at once, and by turns."""

from __future__ import annotations

import asyncio

from rlm_kernel.models.slots import Slots


async def test_no_more_than_the_limit_and_the_owners_take_turns() -> None:
    slots, held, most, order = Slots(2), 0, 0, list[str]()

    async def work(owner: str, number: int) -> None:
        nonlocal held, most
        async with slots.hold(owner):
            held += 1
            most = max(most, held)
            order.append(f"{owner}{number}")
            await asyncio.sleep(0.001)
            held -= 1

    await asyncio.gather(*(work("a", n) for n in range(6)), *(work("b", n) for n in range(3)))
    assert (most, held, slots.held) == (2, 0, 0)
    assert order == ["a0", "a1", "a2", "b0", "a3", "b1", "a4", "b2", "a5"]


async def test_who_gives_up_waiting_leaves_no_gap() -> None:
    slots = Slots(1)
    await slots.take("a")
    waiting = [asyncio.create_task(slots.take(owner)) for owner in ("b", "c", "d")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    slots.give_back()
    waiting[1].cancel()  # it has been let in, but does not know yet
    await asyncio.wait_for(waiting[2], 1)
    assert slots.held == 1
    slots.give_back()
    await asyncio.wait_for(slots.take("e"), 1)
