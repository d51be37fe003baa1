import type { entryEn } from './entry.en'

export const entryFr: typeof entryEn = {
  setup: {
    title: 'Créer l’administrateur',
    lead: 'C’est le premier compte de ce hub. Il a tous les droits ; vous pourrez ajouter d’autres personnes ensuite.',
    name: 'Nom',
    email: 'Adresse e-mail',
    password: 'Mot de passe',
    token: 'Code d’installation',
    tokenHint: 'Il fait partie du lien que la console a affiché au démarrage du hub.',
    submit: 'Créer l’administrateur',
    doneTitle: 'Ce hub est déjà installé',
    doneText: 'Connectez-vous avec votre compte.',
    neededTitle: 'Une étape avant la première connexion',
    neededText:
      'Ouvrez le lien d’installation que la console a affiché au démarrage du hub. Il crée le premier administrateur.',
    haveCode: 'J’ai un code d’installation',
  },
  signIn: {
    title: 'Connexion',
    email: 'Adresse e-mail',
    password: 'Mot de passe',
    submit: 'Se connecter',
    ended: 'Connectez-vous pour reprendre là où vous étiez.',
  },
}
