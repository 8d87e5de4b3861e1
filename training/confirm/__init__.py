"""Networks on both sides of a threshold, against the exact minimiser."""
