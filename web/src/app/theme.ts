import {
  ActionIcon,
  Button,
  createTheme,
  type CSSVariablesResolver,
  Loader,
  type MantineColorsTuple,
  Menu,
  Modal,
  PasswordInput,
  Popover,
  Select,
  Textarea,
  TextInput,
  Tooltip,
} from '@mantine/core'

/** The one accent. Everything else is grey; green, amber and red only ever mean a state. */
const accent: MantineColorsTuple = [
  '#eef2ff',
  '#dfe6fd',
  '#bccaf9',
  '#96abf4',
  '#7690ef',
  '#5a78ea',
  '#3b5bdb',
  '#304dc2',
  '#2941a6',
  '#213488',
]

const gray: MantineColorsTuple = [
  '#f8f8f9',
  '#f1f1f3',
  '#e7e7ea',
  '#dcdce0',
  '#c7c7cd',
  '#a3a3ac',
  '#7c7c87',
  '#5f5f69',
  '#3d3d45',
  '#1f1f24',
]

const dark: MantineColorsTuple = [
  '#e3e3e8',
  '#b9b9c2',
  '#93939e',
  '#6a6a75',
  '#3a3a43',
  '#2c2c33',
  '#212127',
  '#18181c',
  '#131316',
  '#0d0d0f',
]

/** For what cannot be undone: white stands on it, and it stands on white. */
const red: MantineColorsTuple = [
  '#fdecec',
  '#fad6d6',
  '#f2abab',
  '#ea7d7d',
  '#df5757',
  '#d13c3c',
  '#c02a2a',
  '#a82323',
  '#8f1d1d',
  '#771818',
]

export const theme = createTheme({
  primaryColor: 'accent',
  primaryShade: 6,
  colors: { accent, gray, dark, red },
  fontFamily: "'Inter Variable', ui-sans-serif, system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Code', Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.25rem' },
  headings: {
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '1.25rem', lineHeight: '1.75rem' },
      h2: { fontSize: '1rem', lineHeight: '1.5rem' },
      h3: { fontSize: '0.875rem', lineHeight: '1.25rem' },
    },
  },
  defaultRadius: 'md',
  radius: { xs: '3px', sm: '5px', md: '7px', lg: '10px', xl: '14px' },
  respectReducedMotion: true,
  focusRing: 'auto',
  cursorType: 'pointer',
  components: {
    Button: Button.extend({ defaultProps: { size: 'sm', fw: 500 } }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 32 } }),
    TextInput: TextInput.extend({ defaultProps: { size: 'sm' } }),
    Textarea: Textarea.extend({ defaultProps: { size: 'sm' } }),
    PasswordInput: PasswordInput.extend({ defaultProps: { size: 'sm' } }),
    Select: Select.extend({ defaultProps: { size: 'sm', checkIconPosition: 'right' } }),
    // What floats hangs on the window, not on the page: even in the moment before it has found its place (a menu that
    // was measured while it was hidden) it cannot make the page wider. Menus and selections are popovers too.
    Popover: Popover.extend({ defaultProps: { floatingStrategy: 'fixed' } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 400, fz: 'xs', floatingStrategy: 'fixed' } }),
    Menu: Menu.extend({
      // The first entry takes the focus itself: a stand-in inside a menu is nothing that a screen reader knows.
      defaultProps: { shadow: 'md', radius: 'lg', withinPortal: true, withInitialFocusPlaceholder: false },
    }),
    Modal: Modal.extend({
      defaultProps: {
        radius: 'lg',
        centered: true,
        overlayProps: { backgroundOpacity: 0.45 },
        // A dialog's heading is no banner of the page.
        attributes: { header: { role: 'presentation' } },
      },
    }),
    Loader: Loader.extend({ defaultProps: { size: 'sm' } }),
  },
})

/** Names for what a colour is for; pages use these, not shades. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-body': '#ffffff',
    '--mantine-color-text': '#1f1f24',
    '--mantine-color-dimmed': '#64646f',
    '--mantine-color-placeholder': '#73737e',
    '--mantine-color-error': '#c02a2a',
    '--mantine-color-default-border': '#d5d5db',
    '--hub-rail': '#f7f7f8',
    '--hub-raised': '#ffffff',
    '--hub-sunken': '#f5f5f7',
    '--hub-hover': '#ededf0',
    '--hub-selected': '#e6e6ea',
    '--hub-track': '#eeeef1',
    '--hub-thumb': '#ffffff',
    '--hub-line': '#e5e5e9',
    '--hub-bubble': '#f0f1f5',
    '--hub-accent-text': '#304dc2',
    '--hub-ok': '#1a7f42',
    '--hub-watch': '#96600a',
    '--hub-bad': '#c02a2a',
    '--hub-info': '#304dc2',
    '--hub-code': '#f7f7f9',
    '--hub-syntax-keyword': '#8b3fb5',
    '--hub-syntax-string': '#1a7340',
    '--hub-syntax-number': '#9a4b00',
    '--hub-syntax-title': '#2452b5',
  },
  dark: {
    '--mantine-color-body': '#131316',
    '--mantine-color-text': '#e6e6ea',
    '--mantine-color-dimmed': '#9c9ca8',
    '--mantine-color-placeholder': '#8b8b97',
    '--mantine-color-error': '#f38080',
    '--mantine-color-default-border': '#35353e',
    '--hub-rail': '#0f0f12',
    '--hub-raised': '#1a1a1f',
    '--hub-sunken': '#17171b',
    '--hub-hover': '#1f1f25',
    '--hub-selected': '#292930',
    '--hub-track': '#1f1f25',
    '--hub-thumb': '#3a3a43',
    '--hub-line': '#28282f',
    '--hub-bubble': '#22222a',
    '--hub-accent-text': '#9db1f7',
    '--hub-ok': '#5cc98a',
    '--hub-watch': '#e0a94a',
    '--hub-bad': '#f38080',
    '--hub-info': '#9db1f7',
    '--hub-code': '#0e0e11',
    '--hub-syntax-keyword': '#c99cf0',
    '--hub-syntax-string': '#86d1a0',
    '--hub-syntax-number': '#e6b673',
    '--hub-syntax-title': '#8fb3f5',
  },
})
