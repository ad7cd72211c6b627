"""Threads for what blocks in the kernel: looking names up, connecting, hashing a PIN.

The law: none of them holds the end of the process up. A resolver that answers nothing keeps its thread for a minute;
the agent that has closed its ledger ends at once, and the thread with it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

THREADS_MAX = 16

_P = ParamSpec("_P")
_T = TypeVar("_T")


class UnawaitedThreads(ThreadPoolExecutor):
    """The event loop's default executor, which must be a ThreadPoolExecutor: its own threads wait for each other."""

    def __init__(self) -> None:
        super().__init__(THREADS_MAX)
        self._work = SimpleQueue[Callable[[], None]]()
        self._idle = threading.Semaphore(0)
        self._count = 0

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> "Future[_T]":
        """Have a thread do it, as soon as one is free."""
        future: Future[_T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the result
                future.set_exception(error)

        self._work.put(work)
        if not self._idle.acquire(blocking=False) and self._count < THREADS_MAX:
            self._count += 1
            threading.Thread(target=self._run, name=f"unawaited-{self._count}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads to the end of the process."""

    def _run(self) -> None:
        while True:
            self._work.get()()
            self._idle.release()
