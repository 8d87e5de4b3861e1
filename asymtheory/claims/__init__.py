"""Every checkable statement of the four papers, judged by computation: ``asymtheory verify``."""
