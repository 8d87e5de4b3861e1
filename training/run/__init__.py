"""One run: configuration, model, loop, checkpoint, record."""
