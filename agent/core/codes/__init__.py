"""`recognise(scan)`: exactly one code family, or unknown. One file per family."""
