"""Counters of answers."""

from prometheus_client import Counter, Gauge

from aihub.kernel.telemetry.metrics import REGISTRY

RUNNING = Gauge("agent_runs_running", "Answers this process is writing.", registry=REGISTRY)
ENDED = Counter("agent_runs", "Answers by how they ended.", ("status",), registry=REGISTRY)
