"""Real servers that know the truth about what they did, started by tests on ports and folders of their own."""
