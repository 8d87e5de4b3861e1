"""One HTML file for a label noise."""
