/** Words of the pages before one is signed in. */
export const entryEn = {
  setup: {
    title: 'Create the administrator',
    lead: 'This is the first account of this hub. It may do everything; you can add people later.',
    name: 'Name',
    email: 'E-mail',
    password: 'Password',
    token: 'Setup code',
    tokenHint: 'It is part of the link that the console printed when the hub started.',
    submit: 'Create administrator',
    doneTitle: 'This hub is already set up',
    doneText: 'Sign in with your account.',
    neededTitle: 'One step before the first sign-in',
    neededText: 'Open the setup link that the console printed when the hub started. It creates the first administrator.',
    haveCode: 'I have a setup code',
  },
  signIn: {
    title: 'Sign in',
    email: 'E-mail',
    password: 'Password',
    submit: 'Sign in',
    ended: 'Sign in to go on where you were.',
  },
}
