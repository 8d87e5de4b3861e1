"""The Coq development: the same theorems as docs/theory.md, for a prover. Python reads nothing here but the .v files."""
