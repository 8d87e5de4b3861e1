"""The commands of the training room."""
