"""scalpels-exporter: tracers of unmodified services, as Prometheus metrics."""

__version__ = "0.1.0"
