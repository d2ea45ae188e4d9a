"""Child programs that put a precise load on a server and report what they did; `load.py` is the tests' side of them."""
