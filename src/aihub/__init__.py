"""Smart AI Hub: one self-hosted platform for AI assistants in production."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("smart-ai-hub")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
