/** What the hub's errors say in French, by their permanent codes. The hub itself words them in English. */
export interface Said {
  title: string
  remedy: string
}

const TRY_AGAIN = 'Réessayez dans quelques secondes.'

export const problems: Record<string, Said> = {
  'account.leaving': {
    title: 'Ce compte va être effacé',
    remedy: 'Connectez-vous et choisissez « Garder mon compte » avant cette date.',
  },
  'federation.account_inactive': {
    title: 'Votre compte sur ce hub est désactivé',
    remedy: 'Demandez à un administrateur de le réactiver.',
  },
  'federation.address_refused': {
    title: 'Le hub n’appelle pas cette adresse',
    remedy: 'Utilisez l’adresse https publique du fournisseur. Pour votre propre réseau, autorisez les adresses privées.',
  },
  'federation.attempt_invalid': {
    title: 'Cette connexion a expiré ou a déjà servi',
    remedy: 'Recommencez sur la page de connexion et terminez en dix minutes, dans le même navigateur.',
  },
  'federation.denied': {
    title: 'Le fournisseur ne vous a pas connecté',
    remedy: 'Réessayez. Si cela persiste, demandez à qui le gère si vous pouvez utiliser ce hub.',
  },
  'federation.domain_refused': {
    title: 'Aucun compte n’est créé pour une adresse comme la vôtre',
    remedy: 'Utilisez l’adresse de votre organisation, ou demandez une invitation à un administrateur.',
  },
  'federation.email_missing': {
    title: 'Le fournisseur n’a pas donné votre adresse e-mail',
    remedy: 'Autorisez-la chez lui, ou demandez à un administrateur d’ajouter la portée « email ».',
  },
  'federation.email_unverified': {
    title: 'Le fournisseur ne se porte pas garant de votre adresse e-mail',
    remedy: 'Confirmez votre adresse chez lui, puis reconnectez-vous.',
  },
  'federation.handle_taken': {
    title: 'Il y a déjà un fournisseur avec ce nom court ou cet émetteur',
    remedy: 'Choisissez un autre nom court, ou modifiez le fournisseur existant.',
  },
  'federation.hub_address': {
    title: 'Les fournisseurs ne peuvent pas renvoyer à cette adresse',
    remedy: 'Ouvrez le hub à l’adresse de AIHUB_PUBLIC_URL, ou réglez celle-ci sur l’adresse utilisée.',
  },
  'federation.issuer_changed': {
    title: 'Le fournisseur se nomme autrement que ce qui est réglé ici',
    remedy: 'Prévenez un administrateur. L’émetteur doit être exactement celui que le fournisseur publie.',
  },
  'federation.last_way': {
    title: 'C’est votre dernier moyen de vous connecter',
    remedy: 'Choisissez d’abord un mot de passe ou ajoutez une clé d’accès.',
  },
  'federation.link_taken': {
    title: 'Ce compte du fournisseur est associé à un autre compte d’ici',
    remedy: 'Dissociez-le d’abord là-bas, ou prenez un autre compte chez le fournisseur.',
  },
  'federation.no_account': {
    title: 'Vous n’avez pas encore de compte sur ce hub',
    remedy: 'Demandez une invitation à un administrateur ; vous pourrez ensuite associer cette connexion.',
  },
  'federation.proof_of_another': {
    title: 'Le fournisseur a connecté quelqu’un d’autre',
    remedy: 'Connectez-vous là-bas avec le compte associé à celui-ci.',
  },
  'federation.proof_stale': {
    title: 'Le fournisseur ne vous a rien redemandé',
    remedy: 'Donnez une autre preuve, comme une clé d’accès ; ou déconnectez-vous puis reconnectez-vous.',
  },
  'federation.provider_error': {
    title: 'Le fournisseur de connexion ne fonctionne pas comme il devrait',
    remedy: 'Réessayez dans une minute, ou connectez-vous autrement. Un administrateur peut le vérifier.',
  },
  'federation.provider_unfit': {
    title: 'La réponse du fournisseur de connexion ne convient pas',
    remedy: 'Prévenez un administrateur : les réglages d’ici et de là-bas sont à comparer.',
  },
  'federation.provider_unknown': {
    title: 'Ce moyen de connexion n’existe pas',
    remedy: 'Rechargez la page de connexion et choisissez-en un qu’elle montre.',
  },
  'federation.provider_unreachable': {
    title: 'Le fournisseur de connexion est injoignable',
    remedy: 'Réessayez dans une minute, ou connectez-vous autrement.',
  },
  'federation.token_refused': {
    title: 'La preuve de votre identité donnée par le fournisseur n’a pas tenu',
    remedy: 'Recommencez. Si cela persiste, prévenez un administrateur : quelqu’un interfère peut-être.',
  },
  'privacy.confirmation_wrong': {
    title: 'Ce que vous avez tapé n’est pas l’adresse du compte',
    remedy: 'Tapez l’adresse du compte à supprimer, telle qu’elle est affichée.',
  },
  'privacy.deletion_pending': {
    title: 'La suppression de ce compte est déjà demandée',
    remedy: 'Attendez qu’il soit effacé, ou gardez d’abord le compte.',
  },
  'privacy.export_failed': {
    title: 'L’export n’a pas pu être fait',
    remedy: 'Demandez-le de nouveau ; s’il échoue encore, dites-en l’heure à votre administrateur.',
  },
  'privacy.export_gone': {
    title: 'Cet export n’existe pas, ou plus',
    remedy: 'Le fichier d’un export est supprimé après 24 heures. Demandez-en un nouveau.',
  },
  'privacy.no_certificate': {
    title: 'Aucun certificat pour ce lien',
    remedy: 'Ouvrez le lien entier du message, ou le fichier qui y était joint.',
  },
  'privacy.no_deletion': {
    title: 'Il n’y a pas de suppression à annuler',
    remedy: 'Rien n’a été demandé, c’est déjà annulé, ou l’effacement a commencé et ne s’arrête plus.',
  },
  'privacy.own_account': {
    title: 'Un administrateur ne se supprime pas ainsi',
    remedy: 'Utilisez la page Vie privée de votre propre compte.',
  },
  'auth.csrf': { title: 'La demande ne vient pas d’une page du hub', remedy: 'Rechargez la page, puis réessayez.' },
  'auth.forbidden': { title: 'Vous n’avez pas ce droit', remedy: 'Demandez-le à un administrateur.' },
  'auth.insecure_address': {
    title: 'Un navigateur ne peut pas rester connecté à cette adresse',
    remedy: 'Ouvrez le hub en https://, ou sur sa propre machine par http://127.0.0.1 ou http://localhost.',
  },
  'auth.required': { title: 'Vous n’êtes pas connecté', remedy: 'Connectez-vous.' },
  'auth.session_ended': { title: 'Votre session est terminée', remedy: 'Connectez-vous de nouveau.' },
  'auth.session_required': {
    title: 'Cela demande une connexion par mot de passe',
    remedy: 'Connectez-vous sur la page de connexion ; une clé d’API ne suffit pas.',
  },
  'auth.sign_in_failed': {
    title: 'L’adresse e-mail ou le mot de passe est faux',
    remedy: 'Vérifiez les deux. Si vous avez oublié le mot de passe, demandez-en un nouveau à un administrateur.',
  },
  'auth.too_many_attempts': {
    title: 'Trop d’essais de connexion',
    remedy: 'Attendez quelques minutes avant de réessayer.',
  },
  'auth.weak_password': {
    title: 'Ce mot de passe est trop facile à deviner',
    remedy: 'Prenez quelques mots sans lien entre eux, ou laissez un gestionnaire de mots de passe en créer un.',
  },
  'auth.wrong_password': {
    title: 'Le mot de passe actuel est faux',
    remedy: 'Saisissez celui avec lequel vous vous êtes connecté.',
  },
  'conversation.answer_in_progress': {
    title: 'Une réponse est en cours dans cette conversation',
    remedy: 'Attendez sa fin, ou arrêtez-la ; une autre conversation reste possible entre-temps.',
  },
  'conversation.context_too_long': {
    title: 'La question dépasse ce que le modèle peut lire',
    remedy: 'Raccourcissez la question, les pièces jointes ou la consigne, ou choisissez un modèle au contexte plus long.',
  },
  'conversation.full': {
    title: 'Cette conversation a atteint sa taille maximale',
    remedy: 'Commencez-en une autre ; exportez celle-ci si son texte doit vous suivre.',
  },
  'conversation.not_found': {
    title: 'Cette conversation n’existe pas',
    remedy: 'Vérifiez l’adresse ; elle a pu être supprimée ou appartenir à quelqu’un d’autre.',
  },
  'credits.below_zero': {
    title: 'Le solde passerait sous ce qui est retenu',
    remedy: 'Retirez moins, ou attendez la fin des réponses en cours.',
  },
  'credits.insufficient': {
    title: 'Il n’y a pas assez de crédits',
    remedy: 'Demandez des crédits à un administrateur, ou choisissez un modèle moins cher.',
  },
  'database.busy': { title: 'La base de données est très occupée', remedy: TRY_AGAIN },
  'database.conflict': { title: 'Deux changements se sont croisés', remedy: 'Réessayez ; rien n’a été changé.' },
  'database.too_slow': {
    title: 'La base de données a mis trop de temps',
    remedy: 'Demandez moins à la fois, ou réessayez plus tard ; rien n’a été changé.',
  },
  'database.unavailable': { title: 'La base de données ne répond pas', remedy: TRY_AGAIN },
  'embedded.file_exists': {
    title: 'Un fichier porte déjà ce nom',
    remedy: 'Donnez un autre nom au fichier, ou supprimez celui qui est là.',
  },
  'embedded.file_in_use': {
    title: 'Ce fichier est le modèle qui tourne',
    remedy: 'Choisissez d’abord un autre fichier ou le modèle de démonstration.',
  },
  'embedded.file_not_found': {
    title: 'Ce fichier de modèle n’existe pas',
    remedy: 'Choisissez un fichier de la liste, ou envoyez-le.',
  },
  'embedded.folder_unwritable': {
    title: 'On ne peut pas écrire dans le dossier des modèles',
    remedy: 'Donnez au compte du hub le droit d’écrire dans AIHUB_HOME/models, ou déposez-y le fichier à la main.',
  },
  'embedded.no_room': {
    title: 'Il n’y a pas assez de place sur le disque pour ce fichier',
    remedy: 'Libérez de la place, ou déplacez AIHUB_HOME sur un disque plus grand.',
  },
  'embedded.not_gguf': {
    title: 'Ce n’est pas un fichier GGUF',
    remedy: 'Choisissez un modèle de discussion au format GGUF ; un tel fichier commence par les quatre lettres GGUF.',
  },
  'embedded.set_by_operator': {
    title: 'L’exploitant de ce hub a choisi le modèle',
    remedy: 'Retirez AIHUB_EMBEDDED_GGUF et redémarrez le hub pour choisir ici.',
  },
  'embedded.upload_cut': {
    title: 'Le fichier n’est pas arrivé en entier',
    remedy: 'Envoyez-le de nouveau ; rien n’en a été gardé.',
  },
  'gateway.busy': { title: 'Trop d’appels sont en cours', remedy: TRY_AGAIN },
  'gateway.name_taken': {
    title: 'Ce nom est déjà pris',
    remedy: 'Choisissez-en un autre ; chaque nom de modèle est unique parmi tous les fournisseurs.',
  },
  internal: {
    title: 'Quelque chose a échoué de notre côté',
    remedy: 'Réessayez ; si cela se répète, donnez le numéro de la requête à votre administrateur.',
  },
  'jobs.not_retryable': {
    title: 'Cette tâche ne peut pas être relancée maintenant',
    remedy: 'Seules les tâches en échec, annulées ou prévues plus tard peuvent l’être.',
  },
  'keys.address_refused': {
    title: 'Cette clé ne peut pas être utilisée d’ici',
    remedy: 'Appelez depuis un réseau que le propriétaire de la clé autorise.',
  },
  'keys.bound_maker': {
    title: 'Une clé qui a ses propres limites ne crée pas de clés',
    remedy: 'Connectez-vous pour créer une clé, ou utilisez une clé sans modèles, réseaux, limites ni budget.',
  },
  'keys.budget_spent': {
    title: 'Cette clé a dépensé son budget',
    remedy: 'Attendez la prochaine période, ou donnez un plus grand budget à la clé.',
  },
  'keys.gone': {
    title: 'Cette clé est révoquée ou expirée',
    remedy: 'Créez une nouvelle clé.',
  },
  'keys.model_refused': {
    title: 'Cette clé ne peut pas utiliser ce modèle',
    remedy: 'Utilisez un des modèles que la clé autorise.',
  },
  'keys.rotating': {
    title: 'L’ancien secret de la clé marche encore',
    remedy: 'Attendez sa fin, ou renouvelez sans délai : seul le dernier secret marchera.',
  },
  'keys.scopes_beyond_own': {
    title: 'Une clé ne peut pas faire plus que vous',
    remedy: 'Retirez les permissions que vous n’avez pas.',
  },
  'limits.exceeded': { title: 'Trop de demandes', remedy: 'Attendez un peu avant de réessayer.' },
  'message.bad_attachment': {
    title: 'Une pièce jointe ne convient pas',
    remedy: 'Joignez au plus 10 fichiers texte en UTF-8, de 1 Mo en tout.',
  },
  'message.nothing_to_continue': {
    title: 'Il n’y a pas de réponse à continuer ici',
    remedy: 'On continue une réponse arrêtée ou interrompue après son début ; sinon, posez de nouveau la question.',
  },
  'model.loading': { title: 'Le modèle de cette machine n’est pas encore prêt', remedy: TRY_AGAIN },
  'model.no_room': {
    title: 'Il n’y a pas assez de place sur le disque pour le modèle',
    remedy: 'Libérez de la place, ou déplacez AIHUB_HOME vers un disque plus grand.',
  },
  'model.not_found': { title: 'Ce modèle n’existe pas', remedy: 'Choisissez un modèle de la liste.' },
  'model.unavailable': {
    title: 'Le modèle de cette machine ne tourne pas',
    remedy: 'Ajoutez un fournisseur sous « Modèles et fournisseurs », ou choisissez un autre modèle.',
  },
  'model.unusable': {
    title: 'Le fichier du modèle ne peut pas servir',
    remedy:
      'Vérifiez que c’est un modèle de discussion GGUF complet, pour lequel cette machine a assez de mémoire, ou revenez au modèle de démonstration.',
  },
  'model.weights_unreachable': {
    title: 'Le modèle de cette machine n’a pas pu être récupéré',
    remedy: 'Vérifiez le réseau, ou ajoutez un fournisseur sous « Modèles et fournisseurs ».',
  },
  'model.wrong_kind': {
    title: 'Ce modèle sert à autre chose',
    remedy: 'Choisissez un modèle de discussion.',
  },
  'provider.address_refused': {
    title: 'Le hub n’appelle pas cette adresse',
    remedy: 'Donnez l’adresse https publique du fournisseur, ou indiquez que l’adresse est sur votre propre réseau.',
  },
  'provider.bad_answer': {
    title: 'Le fournisseur a répondu autre chose qu’une réponse',
    remedy: 'Demandez à un administrateur de vérifier l’adresse et le type du fournisseur.',
  },
  'provider.context_exceeded': {
    title: 'La question dépasse le contexte du modèle',
    remedy: 'Raccourcissez-la, ou choisissez un modèle au contexte plus long.',
  },
  'provider.cut': {
    title: 'Le fournisseur a coupé la réponse',
    remedy: 'Ce qui est arrivé est conservé et compté ; demandez la suite.',
  },
  'provider.failed': {
    title: 'Le fournisseur du modèle a échoué',
    remedy: 'Réessayez, ou choisissez un modèle d’un autre fournisseur.',
  },
  'provider.key_refused': {
    title: 'Le fournisseur refuse la clé du hub',
    remedy: 'Demandez à un administrateur de vérifier la clé d’API du fournisseur.',
  },
  'provider.model_missing': {
    title: 'Le fournisseur ne connaît pas ce modèle',
    remedy: 'Demandez à un administrateur de vérifier le nom du modèle chez le fournisseur.',
  },
  'provider.rate_limited': {
    title: 'Le fournisseur limite les demandes du hub',
    remedy: 'Attendez un peu, ou choisissez un modèle d’un autre fournisseur.',
  },
  'provider.timeout': {
    title: 'Le fournisseur du modèle a mis trop de temps',
    remedy: 'Réessayez, demandez une réponse plus courte, ou choisissez un modèle plus rapide.',
  },
  'provider.unreachable': {
    title: 'Le fournisseur du modèle ne répond pas',
    remedy: 'Réessayez dans quelques secondes, ou choisissez un modèle d’un autre fournisseur.',
  },
  'request.secret_in_address': {
    title: 'Une adresse n’est pas la place d’une clé',
    remedy: 'Envoyez la clé dans l’en-tête Authorization. Si c’en était une vraie, renouvelez-la maintenant.',
  },
  'request.too_large': {
    title: 'La demande est trop grande',
    remedy: 'Envoyez moins en une fois, ou demandez à votre administrateur de relever la limite.',
  },
  'resource.conflict': {
    title: 'Cela contredit ce qui existe déjà',
    remedy: 'Rechargez la page, regardez l’état présent et réessayez.',
  },
  'resource.not_found': {
    title: 'Il n’y a rien ici',
    remedy: 'Vérifiez l’adresse ; la chose a pu être supprimée ou appartenir à quelqu’un d’autre.',
  },
  'roles.built_in': {
    title: 'Un rôle intégré reste ce qu’il est',
    remedy: 'Créez un rôle à vous qui en hérite ; vous pouvez seulement restreindre un rôle intégré.',
  },
  'roles.name_taken': {
    title: 'Un rôle porte déjà ce nom',
    remedy: 'Choisissez un autre nom.',
  },
  'roles.in_use': {
    title: 'Ce rôle est utilisé',
    remedy: 'Retirez-le à toutes les personnes qui l’ont, aux invitations et aux rôles qui en héritent, puis supprimez-le.',
  },
  'roles.cycle': {
    title: 'Un rôle ne peut pas hériter de lui-même',
    remedy: 'Choisissez un rôle qui n’hérite pas de celui-ci.',
  },
  'roles.own': {
    title: 'Personne ne change ses propres rôles',
    remedy: 'Demandez à un autre administrateur de le faire.',
  },
  'roles.beyond_own': {
    title: 'Vous ne pouvez ni donner ni retirer ce que vous ne pouvez pas faire',
    remedy: 'Demandez à quelqu’un qui en a le droit.',
  },
  'run.broken': { title: 'La réponse du modèle est incompréhensible', remedy: 'Reposez la question, ou changez de modèle.' },
  'run.empty_answer': {
    title: 'Le modèle n’a rien répondu',
    remedy: 'Reposez la question, autrement peut-être, ou changez de modèle.',
  },
  'run.interrupted': {
    title: 'La réponse a été interrompue par l’arrêt du hub',
    remedy: 'Rien de ce qui était affiché n’est perdu. Choisissez « Continuer » pour la suite.',
  },
  'service.unavailable': { title: 'Le hub ne peut pas le faire maintenant', remedy: TRY_AGAIN },
  'setup.done': { title: 'Ce hub est déjà installé', remedy: 'Connectez-vous, ou demandez un compte à un administrateur.' },
  'setup.link_invalid': {
    title: 'Ce lien d’installation n’est pas valable',
    remedy: 'Prenez le dernier lien de la console ; un redémarrage du hub en affiche un nouveau.',
  },
  'users.email_taken': {
    title: 'Un compte existe déjà à cette adresse',
    remedy: 'Prenez une autre adresse, ou modifiez le compte existant.',
  },
  'users.last_administrator': {
    title: 'Le hub resterait sans super-administrateur actif',
    remedy: 'Donnez d’abord ce rôle à quelqu’un d’autre.',
  },
  'users.own_account': {
    title: 'Vous ne pouvez pas désactiver votre propre compte',
    remedy: 'Ne vous choisissez pas, ou demandez à un autre administrateur.',
  },
}
