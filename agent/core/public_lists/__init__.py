"""Public trust lists of the world, read into entries of trust-list.json; one file a format.

The law: every entry of a list is either taken or refused by its place, with a reason; none is dropped in silence. A
terminal never reads these formats: whoever keeps its trust list does (`scanward trust import`).
"""
