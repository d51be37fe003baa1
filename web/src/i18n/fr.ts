import { entryFr } from './entry.fr'
import { chatFr } from './chat.fr'
import { accountFr } from './account.fr'
import { usersFr } from './users.fr'
import { modelsFr } from './models.fr'
import { operationsFr } from './operations.fr'
import { ggufFr } from './gguf.fr'
import type { Messages } from './en'
import { mailFr } from './mail.fr'
import { securityFr } from './security.fr'
import { auditFr } from './audit.fr'
import { accessFr } from './access.fr'
import { federationFr } from './federation.fr'
import { privacyFr } from './privacy.fr'
import { problems } from './problems.fr'

export const fr: Messages = {
  ...entryFr,
  ...chatFr,
  ...accountFr,
  ...usersFr,
  ...modelsFr,
  ...operationsFr,
  ...ggufFr,
  ...mailFr,
  ...securityFr,
  ...auditFr,
  ...accessFr,
  ...federationFr,
  ...privacyFr,
  problems,
  product: 'Smart AI Hub',
  common: {
    loading: 'Chargement',
    retry: 'Réessayer',
    cancel: 'Annuler',
    close: 'Fermer',
    save: 'Enregistrer',
    saved: 'Enregistré',
    delete: 'Supprimer',
    undo: 'Annuler',
    copy: 'Copier',
    copied: 'Copié',
    more: 'Afficher la suite',
    search: 'Rechercher',
    never: 'Jamais',
    none: 'Aucun',
    actions: 'Actions',
    skipToContent: 'Aller au contenu',
    showPassword: 'Montrer ou masquer la saisie',
    dismiss: 'Fermer',
    code: 'Code',
    request: 'Requête',
  },
  errors: {
    title: 'Cela n’a pas fonctionné',
    unreachable: 'Le hub ne répond pas',
    unreachableRemedy: 'Vérifiez qu’il est démarré et que vous êtes connecté au réseau, puis réessayez.',
    unreachableWaits: 'Cette page s’ouvrira d’elle-même dès son retour. Ce que vous avez saisi est conservé.',
    notFoundTitle: 'Il n’y a rien à cette adresse',
    notFoundText: 'La page a été déplacée ou n’a jamais existé.',
    goHome: 'Aller à la discussion',
    forbiddenTitle: 'Cette page n’est pas ouverte à votre rôle',
    forbiddenText: 'Demandez à un administrateur si vous en avez besoin.',
    crashTitle: 'Cette page s’est arrêtée',
    crashText: 'Votre travail est en sûreté sur le serveur. Rechargez la page pour continuer.',
    reload: 'Recharger',
  },
  nav: {
    main: 'Principale',
    assistants: 'Assistants',
    account: 'Compte',
    administration: 'Administration',
    chat: 'Discussion',
    profile: 'Profil',
    security: 'Sécurité',
    keys: 'Clés d’API',
    credits: 'Crédits et usage',
    users: 'Utilisateurs',
    models: 'Modèles et fournisseurs',
    jobs: 'Tâches',
    settings: 'Réglages',
    audit: 'Journal d’audit',
    open: 'Ouvrir la navigation',
    signOut: 'Se déconnecter',
    search: 'Rechercher et commander',
    available: (amount) => `${amount} crédits`,
  },
  palette: {
    title: 'Rechercher et commander',
    placeholder: 'Trouver une page, une conversation ou une commande',
    pages: 'Pages',
    commands: 'Commandes',
    conversations: 'Conversations',
    people: 'Personnes',
    preferences: 'Préférences',
    nothing: 'Rien ne correspond.',
    newChat: 'Nouvelle discussion',
    light: 'Passer au thème clair',
    dark: 'Passer au thème sombre',
    system: 'Suivre le thème du système',
    english: 'Switch to English',
    french: 'Passer en français',
    hint: 'pour se déplacer',
    hintOpen: 'pour ouvrir',
    hintClose: 'pour fermer',
  },
  roles: {
    super_admin: 'Super-administrateur',
    admin: 'Administrateur',
    manager: 'Gestionnaire',
    user: 'Utilisateur',
    guest: 'Invité',
  },
}
