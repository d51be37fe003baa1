"""The `embedded` provider: models that run on this machine, each in its own process.

`supervisor.EmbeddedModels` owns the processes; `endpoint.discover` finds them from another process
of the same installation. Nothing here loads a model library in the caller's process.
"""
