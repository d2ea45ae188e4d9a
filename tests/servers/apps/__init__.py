"""What the HTTP servers of the tests run, in their own processes."""
