"""What the hub writes to people about their data and the end of their account."""

from collections.abc import Mapping

from aihub.services.notifications.template import Template

PRIVACY: Mapping[str, Mapping[str, Template]] = {
    "export_ready": {
        "en": Template(
            "Your data is ready",
            ("Hello,", "what the hub at {hub} holds about you is ready as one file ({size})."),
            "Download your data",
            (
                "The link works until {until}; then the file is deleted.",
                "Whoever has the link has your data: do not pass this letter on.",
            ),
        ),
        "fr": Template(
            "Vos données sont prêtes",
            ("Bonjour,", "ce que le hub {hub} conserve à votre sujet est prêt, en un seul fichier ({size})."),
            "Télécharger vos données",
            (
                "Le lien fonctionne jusqu'au {until} ; ensuite le fichier est supprimé.",
                "Qui a le lien a vos données : ne transmettez pas ce message.",
            ),
        ),
    },
    "deletion_requested": {
        "en": Template(
            "Your account will be deleted on {until}",
            (
                "Hello,",
                (
                    "you asked for your account at {hub} to be deleted. Your keys and your other "
                    "sessions have "
                    "ended. On {until} everything you keep here is erased for good."
                ),
                "To keep your account, sign in before then and choose Keep my account.",
            ),
            "Keep my account",
            ("If it was not you, do that now and change your password.",),
        ),
        "fr": Template(
            "Votre compte sera supprimé le {until}",
            (
                "Bonjour,",
                (
                    "vous avez demandé la suppression de votre compte sur {hub}. Vos clés et vos autres "
                    "sessions "
                    "ont pris fin. Le {until}, tout ce que vous gardez ici sera effacé définitivement."
                ),
                "Pour garder votre compte, connectez-vous avant et choisissez Garder mon compte.",
            ),
            "Garder mon compte",
            ("Si ce n'était pas vous, faites-le maintenant et changez de mot de passe.",),
        ),
    },
    "deletion_ordered": {
        "en": Template(
            "Your account will be deleted on {until}",
            (
                "Hello,",
                (
                    "an administrator of the hub at {hub} asked for your account to be deleted. The "
                    "reason given: "
                    "{reason}"
                ),
                "Your keys and sessions have ended. On {until} everything you keep here is erased for good.",
                "Until then you can sign in and choose Keep my account.",
            ),
            "Sign in",
        ),
        "fr": Template(
            "Votre compte sera supprimé le {until}",
            (
                "Bonjour,",
                (
                    "un administrateur du hub {hub} a demandé la suppression de votre compte. Le motif "
                    "donné : "
                    "{reason}"
                ),
                (
                    "Vos clés et vos sessions ont pris fin. Le {until}, tout ce que vous gardez ici sera "
                    "effacé définitivement."
                ),
                "D'ici là, vous pouvez vous connecter et choisir Garder mon compte.",
            ),
            "Se connecter",
        ),
    },
    "deletion_cancelled": {
        "en": Template(
            "Your account stays",
            (
                "Hello,",
                (
                    "the deletion of your account at {hub} was cancelled. Nothing was erased; sign in as "
                    "before, "
                    "and your keys work again."
                ),
                "If it was not you, change your password.",
            ),
        ),
        "fr": Template(
            "Votre compte reste",
            (
                "Bonjour,",
                (
                    "la suppression de votre compte sur {hub} a été annulée. Rien n'a été effacé ; "
                    "connectez-vous "
                    "comme avant, et vos clés fonctionnent de nouveau."
                ),
                "Si ce n'était pas vous, changez de mot de passe.",
            ),
        ),
    },
    "account_erased": {
        "en": Template(
            "Your account was erased",
            (
                "Hello,",
                (
                    "your account at {hub} was erased, and so was the key that your secrets were sealed "
                    "with. "
                    "The certificate attached says what was erased ({rows} rows), what was kept and why. "
                    "Your "
                    "pseudonym in what was kept is {pseudonym}."
                ),
                "This is our last letter to you: your address leaves the hub with it.",
            ),
            "Look at the certificate",
            ("The link shows the certificate to whoever has it. It names nobody.",),
        ),
        "fr": Template(
            "Votre compte a été effacé",
            (
                "Bonjour,",
                (
                    "votre compte sur {hub} a été effacé, ainsi que la clé qui scellait vos secrets. Le "
                    "certificat "
                    "joint dit ce qui a été effacé ({rows} lignes), ce qui a été gardé et pourquoi. Votre "
                    "pseudonyme dans ce qui a été gardé est {pseudonym}."
                ),
                "C'est notre dernier message : votre adresse quitte le hub avec lui.",
            ),
            "Voir le certificat",
            ("Le lien montre le certificat à qui le possède. Il ne nomme personne.",),
        ),
    },
}
