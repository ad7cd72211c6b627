"""Chunks of bytes answered by other processes, in order.

The law: a process has one chunk at a time, so no two ever wait for each other; one that dies is said, not waited for;
never more than CHUNKS_AHEAD chunks for each process are in memory. Processes are forked, which costs a hundredth of
starting one and takes the keys along, so nothing may have started a thread before (docs/decisions/0223).
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from queue import SimpleQueue

CHUNKS_AHEAD = 4  # for each process
_END_S = 5.0

Answer = Callable[[bytes], bytes]


class WorkerDied(Exception):
    """A process ended before it had answered; the message is one line for the person who started it."""


@dataclass(frozen=True, slots=True)
class _Worker:
    process: ForkProcess
    pipe: Connection

    def ask(self, chunk: bytes) -> bytes:
        try:
            self.pipe.send_bytes(chunk)
            return self.pipe.recv_bytes()
        except (EOFError, OSError) as error:
            self.process.join(_END_S)
            status = self.process.exitcode or 0
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            raise WorkerDied(
                f"a process that answers lines {how}: what was written is right, but it is not all; start again, "
                "with fewer --workers if memory is short"
            ) from error

    def end(self) -> None:
        self.pipe.close()
        self.process.join(_END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def spread(answer: Answer, chunks: Iterable[bytes], processes: int) -> Iterator[Iterator[bytes]]:
    """Start processes; give the chunks' answers, in order. Whoever takes them may get WorkerDied."""
    context = multiprocessing.get_context("fork")
    workers, free = list[_Worker](), SimpleQueue[_Worker]()
    try:
        for _ in range(processes):
            ours, its = context.Pipe()
            process = context.Process(target=_work, args=(answer, its, [worker.pipe for worker in workers] + [ours]))
            process.daemon = True
            with _uninterrupted():
                process.start()
            its.close()
            workers.append(_Worker(process, ours))
            free.put(workers[-1])
        with ThreadPoolExecutor(processes) as threads:
            try:
                yield _in_order(threads, free, chunks, processes * CHUNKS_AHEAD)
            except BaseException:  # nobody wants the chunks in hand any more: threads must not wait for them
                threads.shutdown(wait=False, cancel_futures=True)
                for worker in workers:
                    worker.process.kill()
                raise
    finally:
        for worker in workers:
            worker.end()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait, so that a new process is not hit by it before it has said that it ignores it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_order(
    threads: ThreadPoolExecutor, free: SimpleQueue[_Worker], chunks: Iterable[bytes], ahead_max: int
) -> Iterator[bytes]:
    def ask(chunk: bytes) -> bytes:
        worker = free.get_nowait()  # there are as many as threads
        try:
            return worker.ask(chunk)
        finally:
            free.put(worker)

    ahead = deque[Future[bytes]]()
    for chunk in chunks:
        ahead.append(threads.submit(ask, chunk))
        if len(ahead) >= ahead_max:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _work(answer: Answer, pipe: Connection, others: list[Connection]) -> None:
    """Answer until the other end is closed. Ctrl-C is for the process that started this one, which then closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for other in others:  # only the first process may hold them, or nobody would see that it has gone
        other.close()
    try:
        while True:
            pipe.send_bytes(answer(pipe.recv_bytes()))
    except (EOFError, ConnectionError):  # a reset, where an answer lies unread
        return
