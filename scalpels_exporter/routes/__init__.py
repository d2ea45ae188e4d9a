"""What the paths of HTTP requests mean: a path whose ids are stars → the route of an API, by templates.

Pure: reads no file and knows no kernel. The folding of ids is done before, where the bytes are.
"""
