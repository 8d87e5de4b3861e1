"""What decides whether a loss is asymmetric on a noise, and by how much."""
