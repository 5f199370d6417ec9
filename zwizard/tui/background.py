"""Work on threads of its own, which closing the app never waits for."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from textual.message_pump import MessagePump

T = TypeVar("T")
NAME = "background"  # of the threads


async def in_background(work: Callable[[], T]) -> T:
    """What ``work()`` returns or raises, run on a daemon thread.

    Closing the app, or cancelling the waiting task, abandons the thread at once; Textual's thread
    workers and asyncio's executor would delay the exit until the work is done.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(future.set_result, work())
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            settle = partial(future.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(lambda: future.done() or settle())

    threading.Thread(target=run, daemon=True, name=NAME).start()
    return await future


class BackgroundWork(MessagePump):
    """A screen that waits for work on threads."""

    async def in_background(self, work: Callable[[], T]) -> T:
        """As ``in_background``; what waits here ends with the screen.

        While a screen closes, its widgets go before its workers are cancelled.
        """
        try:
            return await in_background(work)
        finally:
            if not self.is_running:
                raise asyncio.CancelledError
