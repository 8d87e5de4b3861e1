"""Verdicts and claims as Coq text: certificates that a prover checks, and the development in proofs/ that they rest on."""
