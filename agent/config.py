"""TOML into each component's own frozen Settings."""
