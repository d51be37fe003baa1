"""What the hub writes to people, in their language."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from aihub.services.notifications.letters_privacy import PRIVACY
from aihub.services.notifications.template import Template

FALLBACK = "en"
_LONGEST_VALUE = 120
_QUIET = "color:#6b6b66;font-size:13px"


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str
    text: str
    html: str


TEMPLATES: Mapping[str, Mapping[str, Template]] = {
    "invitation": {
        "en": Template(
            "You are invited to Smart AI Hub",
            ("Hello,", "{inviter} invites you to the Smart AI Hub at {hub}."),
            "Accept the invitation",
            ("The link works once and for 7 days. If you do not expect this, ignore it.",),
        ),
        "fr": Template(
            "Vous êtes invité à rejoindre Smart AI Hub",
            ("Bonjour,", "{inviter} vous invite à rejoindre le Smart AI Hub à l'adresse {hub}."),
            "Accepter l'invitation",
            ("Le lien fonctionne une seule fois, pendant 7 jours. Si vous n'attendiez rien, ignorez-le.",),
        ),
    },
    "password_reset": {
        "en": Template(
            "Choose a new password",
            ("Hello,", "somebody asked for a new password for your account at {hub}."),
            "Choose a new password",
            (
                "The link works once and for 1 hour. All your sessions end when you use it.",
                "If it was not you, ignore this letter: your password stays as it is.",
            ),
        ),
        "fr": Template(
            "Choisissez un nouveau mot de passe",
            ("Bonjour,", "quelqu'un a demandé un nouveau mot de passe pour votre compte sur {hub}."),
            "Choisir un nouveau mot de passe",
            (
                "Le lien fonctionne une seule fois, pendant 1 heure. L'utiliser ferme toutes vos sessions.",
                "Si ce n'était pas vous, ignorez ce message : votre mot de passe reste le même.",
            ),
        ),
    },
    "password_changed": {
        "en": Template(
            "Your password was changed",
            (
                "Hello,",
                "the password of your account at {hub} was changed with a link from a letter like this.",
                "If it was not you, tell your administrator at once.",
            ),
        ),
        "fr": Template(
            "Votre mot de passe a été changé",
            (
                "Bonjour,",
                "le mot de passe de votre compte sur {hub} a été changé avec un lien reçu par e-mail.",
                "Si ce n'était pas vous, prévenez tout de suite votre administrateur.",
            ),
        ),
    },
    "email_verification": {
        "en": Template(
            "Confirm your e-mail address",
            ("Hello,", "confirm that {email} is the address of your account at {hub}."),
            "Confirm the address",
            ("The link works once and for 24 hours. If you know nothing of this, ignore it.",),
        ),
        "fr": Template(
            "Confirmez votre adresse e-mail",
            ("Bonjour,", "confirmez que {email} est l'adresse de votre compte sur {hub}."),
            "Confirmer l'adresse",
            ("Le lien fonctionne une seule fois, pendant 24 heures. Si cela ne vous dit rien, ignorez-le.",),
        ),
    },
    "new_device": {
        "en": Template(
            "A new sign-in to your account",
            (
                "Hello,",
                "somebody signed in to your account at {hub} from a browser or a network that is new to us.",
                "{browser} · {address} · {time}",
                (
                    "If it was you, there is nothing to do. If not, change your password at once and look at "
                    "your sessions on the page Security."
                ),
            ),
        ),
        "fr": Template(
            "Nouvelle connexion à votre compte",
            (
                "Bonjour,",
                (
                    "quelqu'un s'est connecté à votre compte sur {hub} avec un navigateur ou depuis un "
                    "réseau qui nous est nouveau."
                ),
                "{browser} · {address} · {time}",
                (
                    "Si c'était vous, il n'y a rien à faire. Sinon, changez tout de suite de mot de passe et "
                    "regardez vos sessions sur la page Sécurité."
                ),
            ),
        ),
    },
    "email_changed": {
        "en": Template(
            "The e-mail address of your account was changed",
            (
                "Hello,",
                "your account at {hub} now has the address {email}. You sign in with it.",
                "If it was not you, tell your administrator at once.",
            ),
        ),
        "fr": Template(
            "L'adresse e-mail de votre compte a été changée",
            (
                "Bonjour,",
                "votre compte sur {hub} a maintenant l'adresse {email}. Elle sert à vous connecter.",
                "Si ce n'était pas vous, prévenez tout de suite votre administrateur.",
            ),
        ),
    },
    "token_reuse": {
        "en": Template(
            "A program of yours was signed out",
            (
                "Hello,",
                (
                    "a token of your program {client} at {hub} was used twice on {time}. It may have been "
                    "copied, so the program was signed out everywhere."
                ),
                (
                    "If you run it in two places or repeated a request by hand, sign it in again. If not, "
                    "change your password at once and look at your sessions on the page Security."
                ),
            ),
        ),
        "fr": Template(
            "Un de vos programmes a été déconnecté",
            (
                "Bonjour,",
                (
                    "un jeton de votre programme {client} sur {hub} a été utilisé deux fois, le {time}. Il a "
                    "pu être copié : le programme a donc été déconnecté partout."
                ),
                (
                    "Si vous l'exécutez à deux endroits ou avez répété une requête à la main, "
                    "reconnectez-le. Sinon, changez tout de suite de mot de passe et regardez vos "
                    "sessions sur la page Sécurité."
                ),
            ),
        ),
    },
    **PRIVACY,
}


def render(kind: str, locale: str, values: Mapping[str, str], hub: str, link: str | None) -> Rendered:
    """The letter as plain text and as HTML. Raises KeyError for an unknown kind or a missing value."""
    template = TEMPLATES[kind].get(locale) or TEMPLATES[kind][FALLBACK]
    given = {name: value[:_LONGEST_VALUE] for name, value in values.items()} | {"hub": hub}
    before = [line.format_map(given) for line in template.before]
    after = [line.format_map(given) for line in template.after]
    action = [f"{template.button}:\n{link}"] if template.button and link else []
    text = "\n\n".join([*before, *action, *after, f"Smart AI Hub\n{hub}"]) + "\n"
    button = [_button(template.button, link)] if template.button and link else []
    body = "".join([*map(_paragraph, before), *button, *map(_paragraph, after)])
    language = locale if locale in TEMPLATES[kind] else FALLBACK
    html = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"></head>'
        '<body style="font-family:system-ui,sans-serif;font-size:15px;line-height:1.5;color:#1c1c1a;'
        f'max-width:560px;margin:24px auto;padding:0 16px">{body}<p style="{_QUIET};margin-top:32px">'
        f"Smart AI Hub · {escape(hub)}</p></body></html>\n"
    )
    return Rendered(template.subject.format_map(given), text, html)


def _button(label: str, link: str) -> str:
    return (
        f'<p style="margin:24px 0"><a href="{escape(link)}" style="background:#1c1c1a;color:#ffffff;'
        f'padding:10px 18px;border-radius:8px;text-decoration:none">{escape(label)}</a></p>'
        f'<p style="{_QUIET};word-break:break-all">{escape(link)}</p>'
    )


def _paragraph(line: str) -> str:
    return f"<p>{escape(line)}</p>"
