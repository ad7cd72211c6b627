"""The laboratory: every scanner of the agent on real kernel drivers, in an emulated machine, judged from outside."""
