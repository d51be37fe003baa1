"""The roles, the database and the extensions that the hub needs, made by the superuser, repeatably."""

import base64
import hashlib
import hmac
import secrets

import psycopg
from psycopg import sql

DATABASE = "aihub"
SUPERUSER = "postgres"
OWNER = "aihub_owner"
LOGIN = "aihub_login"
APP = "aihub_app"
BACKUP = "aihub_backup"
_ITERATIONS = 4096
EXTENSIONS = ("vector", "pg_trgm", "pg_stat_statements")

# Owner runs migrations. Login is what processes connect as; it acts as the group App, whose rights
# the migrations grant and which row-level security binds. Backup reads everything: pg_dump takes it
# with --role, because BYPASSRLS is not inherited.
_ATTRIBUTES = {
    OWNER: "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
    LOGIN: "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
    APP: "NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
    BACKUP: "NOLOGIN NOSUPERUSER BYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
}


def ensure(superuser_conninfo: str, passwords: dict[str, str]) -> None:
    """Bring roles, database, extensions and their grants to the state above. Raises psycopg.Error.

    `passwords` maps the login roles to their passwords; only their SCRAM verifiers reach the server.
    """
    with _connect(superuser_conninfo, "postgres") as connection:
        with connection.transaction():
            _roles(connection, passwords)
        exists = connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone()
        if exists is None:
            connection.execute(
                sql.SQL("create database {} owner {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
            )
    with _connect(superuser_conninfo, DATABASE) as connection, connection.transaction():
        _grants(connection)
        _extensions(connection)


def _connect(conninfo: str, database: str) -> psycopg.Connection:
    return psycopg.connect(
        conninfo, dbname=database, autocommit=True, connect_timeout=30, application_name="aihub start"
    )


def verifier(password: str) -> str:
    """The SCRAM verifier of a password (RFC 5803): computed here, so no server log can hold the password."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored, server = (base64.b64encode(k).decode() for k in (hashlib.sha256(client_key).digest(), server_key))
    return f"SCRAM-SHA-256${_ITERATIONS}:{base64.b64encode(salt).decode()}${stored}:{server}"


def _roles(connection: psycopg.Connection, passwords: dict[str, str]) -> None:
    present = {row[0] for row in connection.execute("select rolname from pg_roles")}
    for role, attributes in _ATTRIBUTES.items():
        verb = "alter" if role in present else "create"
        statement = sql.SQL(f"{verb} role {{}} {attributes}").format(sql.Identifier(role))
        if role in passwords:
            secret = verifier(passwords[role])
            statement = sql.SQL("{} password {}").format(statement, sql.Literal(secret))
        connection.execute(statement)
    for group, member in (
        (APP, LOGIN),
        (APP, OWNER),
        ("pg_monitor", OWNER),
        ("pg_read_all_data", BACKUP),
    ):
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(group), sql.Identifier(member)))


def _grants(connection: psycopg.Connection) -> None:
    database = sql.Identifier(DATABASE)
    connection.execute(sql.SQL("revoke connect, temporary on database {} from public").format(database))
    connection.execute(sql.SQL("grant connect on database {} to {}").format(database, sql.Identifier(BACKUP)))
    # Bulk loads go through a temporary table: COPY is refused on tables with row-level security.
    connection.execute(
        sql.SQL("grant connect, temporary on database {} to {}").format(database, sql.Identifier(APP))
    )


def _extensions(connection: psycopg.Connection) -> None:
    stale = connection.execute(
        "select name, installed_version from pg_available_extensions"
        " where name = any(%s) and installed_version is distinct from default_version",
        (list(EXTENSIONS),),
    ).fetchall()
    for name, installed in stale:
        verb = "create extension {}" if installed is None else "alter extension {} update"
        connection.execute(sql.SQL(verb).format(sql.Identifier(name)))
