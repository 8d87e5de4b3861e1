"""The commands of ``asymtheory``, one module each."""
