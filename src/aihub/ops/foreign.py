"""Names of variables that other systems read and this hub does not, and what to set instead."""

from collections.abc import Mapping

_DATABASE = "The hub keeps its own PostgreSQL; for a hosted one set DATABASE_URL to its connection string."
_VECTORS = "Vectors live in PostgreSQL (pgvector), beside what they index; there is nothing to set."
_UPLOADS = "Text files go into the question; AIHUB_MAX_BODY bounds a request."

FOREIGN: Mapping[str, str] = {
    "SUPABASE_URL": _DATABASE,
    "SUPABASE_ANON_KEY": _DATABASE,
    "SUPABASE_SERVICE_ROLE_KEY": _DATABASE,
    "CHROMA_HOST": _VECTORS,
    "CHROMA_PORT": _VECTORS,
    "SIMILARITY_THRESHOLD": _VECTORS,
    "MAX_VECTOR_RESULTS": _VECTORS,
    "GRAFANA_PASSWORD": "The hub starts no Grafana; point yours at /metrics with AIHUB_METRICS_TOKEN.",
    "SENTRY_DSN": "Errors are in the hub's own log, one JSON object a line; ship that.",
    "ALLOWED_FILE_TYPES": _UPLOADS,
    "MAX_FILES_PER_REQUEST": _UPLOADS,
    "UPLOAD_DIR": "Everything the hub keeps is in its database and under AIHUB_HOME.",
    "WORKER_CLASS": "The server is built in; WORKERS is how many processes serve.",
}
"""Each name with what to do instead."""
