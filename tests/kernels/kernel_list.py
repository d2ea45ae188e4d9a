"""The kernels that every tracer's programs must load and count under, besides the one that runs here: a line each."""

# Names of Debian packages, as apt knows them on this host.
KERNELS = (
    "linux-image-amd64",  # Debian 12's own: 6.1
    "linux-image-6.12-amd64",  # Debian 13's, which Debian 12 offers too
)
