"""Prometheus metrics of this process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

REQUESTS = Counter(
    "http_requests",
    "HTTP requests answered.",
    ("service", "method", "route", "status"),
    registry=REGISTRY,
)
# Every response-time threshold of the service levels is an exact bound.
DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from the first byte of a request to the last of its answer.",
    ("service", "method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
    registry=REGISTRY,
)
IN_FLIGHT = Gauge("http_requests_in_flight", "HTTP requests being answered.", registry=REGISTRY)


def exposition() -> bytes:
    """The metrics in the OpenMetrics text format."""
    text: bytes = generate_latest(REGISTRY)  # type: ignore[no-untyped-call]
    return text
