"""The `aihub` command: names and one line each; a verb's file is loaded only when it is used."""

import sys

from cyclopts import App

from aihub import __version__

app = App(
    name="aihub",
    version=__version__,
    help="Smart AI Hub: one self-hosted platform for AI assistants in production.",
)

_VERBS = (
    ("up", "aihub.cli.up:up", "Start everything: database, local model, web app, jobs."),
    ("serve", "aihub.cli.serve:serve", "Serve some targets in this process, for running services apart."),
    ("worker", "aihub.cli.serve:worker", "Run background jobs in this process."),
    ("targets", "aihub.cli.serve:targets", "List what 'serve --target' takes."),
    ("migrate", "aihub.cli.migrate:migrate", "Bring the database schema up to date, or check it."),
    ("doctor", "aihub.cli.doctor:doctor", "Check settings, secrets, database, providers, disk and clock."),
    ("config", "aihub.cli.config:app", "Show the effective settings and where each came from."),
    ("user", "aihub.cli.user:app", "Create, list and change people."),
    ("access", "aihub.cli.access:app", "Say why somebody may do something, or not; list roles."),
    ("key", "aihub.cli.key:app", "Create, list and revoke API keys."),
    ("keys", "aihub.cli.keys:app", "Show and rotate the keys that sign access tokens."),
    ("model", "aihub.cli.model:app", "Add, list and remove models and their providers."),
    ("ask", "aihub.cli.ask:ask", "Ask a question; the answer streams to the terminal."),
    ("session", "aihub.cli.session:app", "Sign everybody out."),
    ("audit", "aihub.cli.audit:app", "Verify, read and export the audit trail."),
    ("privacy", "aihub.cli.privacy:app", "Check certificates of deletion."),
    ("secrets", "aihub.cli.secrets:app", "Generate and rotate keys at rest."),
)
for _name, _path, _help in _VERBS:
    app.command(_path, name=_name, help=_help)


def main() -> None:
    """Run the command line; exit codes are those of `aihub.cli.exits`."""
    from aihub.cli.exits import guarded

    sys.exit(guarded(app))


if __name__ == "__main__":
    main()
