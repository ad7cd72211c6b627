"""Fuzzing of every parser that reads what was scanned, with coverage feedback where atheris is to be had (make fuzz).

A target is a function of bytes that raises Finding; it needs no fuzzer, so the tests run each one, too.
"""
