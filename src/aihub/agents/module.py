"""Agents: conversations, the runs that write answers, and one-shot questions."""

from aihub.agents import jobs, routes
from aihub.agents.personal import PERSONAL
from aihub.agents.runs.executor import RunExecutor
from aihub.kernel.auth import Permission
from aihub.kernel.module import Module, Part

MODULE = Module(
    name="agents",
    routers=(routes.router,),
    public_paths=routes.PUBLIC,
    permissions=(Permission("chat:use", "Hold conversations with the models"),),
    jobs=(jobs.PURGE,),
    parts=(Part(RunExecutor, RunExecutor.start),),
    personal=PERSONAL,
)
