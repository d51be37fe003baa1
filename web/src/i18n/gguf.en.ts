/** Words about the model of this machine and files of one's own. */
export const ggufEn = {
  gguf: {
    title: 'Use your own GGUF',
    chooseModel: 'Choose the model of this machine',
    lead: 'Run any chat model in the GGUF format that fits into the memory of the machine. A change takes effect at once; answers being written break off.',
    byOperator: (file: string) =>
      `The operator of this hub chose ${file} with AIHUB_EMBEDDED_GGUF. Unset it and restart the hub to choose here.`,
    files: 'Models that can run on this machine',
    demonstration: 'Demonstration model',
    ownHint: 'A model of your own. Nothing you ask it leaves this machine.',
    chosen: 'Chosen',
    use: 'Use',
    useNamed: (name: string) => `Use ${name}`,
    invalid: 'Not a GGUF file',
    folder: 'Or put a file into this folder; it appears here.',
    copyFolder: 'Copy the folder',
    upload: 'Upload a file',
    uploading: (name: string) => `Uploading ${name}`,
    uploaded: (name: string) => `${name} is here. Choose it to run it.`,
    limits: (largest: string, room: string) => `Up to ${largest}; there is room for ${room}.`,
    notGguf: 'This is not a GGUF file.',
    tooLarge: (largest: string) => `The file is larger than ${largest}.`,
    noRoom: (room: string) => `The machine has room for ${room} only.`,
    deleteText: 'The file is erased from the machine of the hub. This cannot be undone.',
    back: 'Back to the demonstration model',
  },
}
