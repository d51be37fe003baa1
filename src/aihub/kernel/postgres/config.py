"""The server's configuration: written anew at each start, outside the data folder.

The server's account can read these files and not change them.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from aihub.kernel.postgres.errors import PostgresError

# scram for everything, also for backups over the same socket; no other way in exists.
HBA = """\
local all all scram-sha-256
local replication all scram-sha-256
"""


def cluster_name(data: Path) -> str:
    """A name for process titles by which leftover processes of this data folder are recognised."""
    return "aihub_" + hashlib.sha256(str(data).encode("utf-8", "surrogateescape")).hexdigest()[:10]


def settings(
    *,
    data: Path,
    hba: Path,
    sockets: Path,
    logs: Path,
    max_connections: int,
    extra: Mapping[str, str],
) -> dict[str, str]:
    """Every parameter we set; `extra` wins, except over what keeps the server private and ours."""
    tunable = {
        # memory: modest, a person's laptop runs this beside a language model
        "shared_buffers": "128MB",
        "work_mem": "8MB",
        "maintenance_work_mem": "64MB",
        "effective_cache_size": "1GB",
        "io_workers": "2",
        "max_parallel_workers_per_gather": "2",
        "jit": "off",
        # durability and disk: an acknowledged write survives a power cut
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "wal_level": "replica",
        "wal_buffers": "16MB",
        "min_wal_size": "80MB",
        "max_wal_size": "1GB",
        "checkpoint_completion_target": "0.9",
        "checkpoint_timeout": "10min",
        "default_statistics_target": "100",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "idle_in_transaction_session_timeout": "10min",
        "pg_stat_statements.max": "2000",
        # logs: slow statements without their values, which may be personal
        "logging_collector": "on",
        "log_destination": "stderr",
        "log_filename": "postgresql-%Y-%m-%d_%H%M%S.log",
        "log_file_mode": "0600",
        "log_rotation_age": "1d",
        "log_rotation_size": "100MB",
        "log_min_duration_statement": "1000ms",
        "log_parameter_max_length": "0",
        "log_line_prefix": "%m [%p] %l user=%u,db=%d,app=%a,client=%h ",
        "log_lock_waits": "on",
        "log_checkpoints": "on",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "lc_messages": "C",
        "lc_monetary": "C",
        "lc_numeric": "C",
        "lc_time": "C",
    }
    fixed = {
        "listen_addresses": "",
        "port": "5432",
        "max_connections": str(max_connections),
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "shared_preload_libraries": "pg_stat_statements",
        "hba_file": str(hba),
        "log_directory": str(logs),
        "cluster_name": cluster_name(data),
    }
    return tunable | dict(extra) | fixed


def render(parameters: Mapping[str, str], custom: Path, programs: str) -> str:
    """postgresql.conf as text. `custom` is the administrator's own file, read last when it exists."""
    lines = [
        "# Written by the hub at each start. Put settings of your own into custom.conf beside it.",
        f"# Programs: {programs}",
    ]
    lines += [f"{name} = {_quote(value)}" for name, value in sorted(parameters.items())]
    if custom.exists():
        lines.append(f"include = {_quote(str(custom))}")
    return "\n".join(lines) + "\n"


def _quote(value: str) -> str:
    if "\n" in value or "\0" in value:
        raise PostgresError("A setting or the home's path contains a line break.")
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
