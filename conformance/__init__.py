"""Other people's test suites, run through `scanward verify` and the parts it is made of."""
