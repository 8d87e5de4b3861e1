"""The papers' figures, and the ones they should have had: drawn from the core, publication-ready."""
