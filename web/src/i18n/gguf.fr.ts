import type { ggufEn } from './gguf.en'

export const ggufFr: typeof ggufEn = {
  gguf: {
    title: 'Utiliser votre propre GGUF',
    chooseModel: 'Choisir le modèle de cette machine',
    lead: 'Faites tourner tout modèle de discussion au format GGUF qui tient dans la mémoire de la machine. Le changement est immédiat ; les réponses en cours s’interrompent.',
    byOperator: (file) =>
      `L’exploitant de ce hub a choisi ${file} avec AIHUB_EMBEDDED_GGUF. Retirez cette variable et redémarrez le hub pour choisir ici.`,
    files: 'Modèles qui peuvent tourner sur cette machine',
    demonstration: 'Modèle de démonstration',
    ownHint: 'Un modèle à vous. Rien de ce que vous lui demandez ne quitte cette machine.',
    chosen: 'Choisi',
    use: 'Utiliser',
    useNamed: (name) => `Utiliser ${name}`,
    invalid: 'Ce n’est pas un fichier GGUF',
    folder: 'Ou déposez un fichier dans ce dossier ; il apparaîtra ici.',
    copyFolder: 'Copier le dossier',
    upload: 'Envoyer un fichier',
    uploading: (name) => `Envoi de ${name}`,
    uploaded: (name) => `${name} est arrivé. Choisissez-le pour le faire tourner.`,
    limits: (largest, room) => `Jusqu’à ${largest} ; il y a de la place pour ${room}.`,
    notGguf: 'Ce n’est pas un fichier GGUF.',
    tooLarge: (largest) => `Le fichier dépasse ${largest}.`,
    noRoom: (room) => `La machine n’a de la place que pour ${room}.`,
    deleteText: 'Le fichier est effacé de la machine du hub. On ne peut pas revenir en arrière.',
    back: 'Revenir au modèle de démonstration',
  },
}
