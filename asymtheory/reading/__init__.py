"""Reading: every file and every Python object that holds labels, a table or votes, read in one way with one meaning."""
