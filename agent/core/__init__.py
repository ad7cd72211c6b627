"""The pure floor: no asyncio, no I/O, no clock, no randomness, no logging. Time, ids, nonces and keys are arguments."""
