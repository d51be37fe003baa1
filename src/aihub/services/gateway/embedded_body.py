"""The state of the model on this machine, as the API shows it."""

from pydantic import BaseModel

from aihub.services.gateway.adapters.embedded.model import ModelState, State


class EmbeddedBody(BaseModel):
    """What the model on this machine is doing; `share` (0 to 1) while it is downloaded, `code` and `remedy`
    after a failure. `demonstration`: it is the small model that comes with the hub."""

    state: State
    share: float | None
    detail: str | None
    model_name: str | None
    demonstration: bool
    code: str | None
    remedy: str | None


def embedded_body(state: ModelState) -> EmbeddedBody:
    return EmbeddedBody(
        state=state.state,
        share=state.share,
        detail=state.detail or None,
        model_name=state.model_name or None,
        demonstration=state.demonstration,
        code=state.code,
        remedy=state.remedy,
    )
