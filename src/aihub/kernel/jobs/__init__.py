"""Background work on PostgreSQL: enqueued in the business transaction, retried, recovered."""

from aihub.kernel.jobs.defer import defer
from aihub.kernel.jobs.job import Job, JobContext, Retry

__all__ = ["Job", "JobContext", "Retry", "defer"]
