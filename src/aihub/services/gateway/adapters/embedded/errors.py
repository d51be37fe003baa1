"""What can go wrong with the embedded models, in words an administrator can act on."""

from aihub.kernel.errors import Unavailable

ADD_ANOTHER_MODEL = (
    "Add a provider or a GGUF file of yours under Models and providers, or set AIHUB_EMBEDDED_GGUF to one."
)


class ModelLoading(Unavailable):
    code = "model.loading"
    title = "The embedded model is not ready yet"
    remedy = "Try again in a few seconds; the state of the embedded model shows how far it is."


class ModelUnavailable(Unavailable):
    code = "model.unavailable"
    title = "The embedded model is not running"
    remedy = ADD_ANOTHER_MODEL


class ModelUnusable(ModelUnavailable):
    code = "model.unusable"
    title = "The model file cannot be used"
    remedy = (
        "Check that the file is a complete GGUF chat model this machine has the memory for, "
        "or go back to the demonstration model under Models and providers."
    )


class WeightsUnreachable(ModelUnavailable):
    code = "model.weights_unreachable"
    title = "The embedded model could not be downloaded"
    remedy = "Check the network and the package index settings of this machine. " + ADD_ANOTHER_MODEL


class WeightsDamaged(ModelUnavailable):
    code = "model.weights_damaged"
    title = "The downloaded model is not the one we expect"
    remedy = "Check the package index of this machine for a mirror that alters files. " + ADD_ANOTHER_MODEL


class NoRoomForWeights(ModelUnavailable):
    code = "model.no_room"
    title = "There is not enough disk space for the embedded model"
    remedy = "Free the space named in the detail, or move AIHUB_HOME to a larger disk."
