"""What every answer can do beside printing itself: show itself in a notebook, with nothing of it read as HTML."""

from __future__ import annotations


class Answer:
    """An answer that a notebook shows as it prints, in a fixed-width font. All text is escaped: it may come from a file."""

    def _repr_html_(self) -> str:
        from html import escape  # late: this module is on the start-up path

        return f'<pre style="white-space: pre; overflow-x: auto">{escape(str(self))}</pre>'
