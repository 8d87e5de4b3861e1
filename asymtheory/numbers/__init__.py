"""Number systems a formula runs on, and how numbers are read and shown."""
