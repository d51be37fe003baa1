import { Checkbox } from '@mantine/core'
import type { Permission } from '@/api/access'
import { useLanguage } from '@/i18n'
import classes from './access.module.css'
import { permissionWord } from './words'

export interface PermissionChoicesProps {
  permissions: Permission[]
  chosen: ReadonlySet<string>
  /** What the role has from its parent, whose word for people is `parent`: shown, and not to be taken here. */
  inherited: ReadonlySet<string>
  parent: string
  /** Whether this one may be chosen or taken. */
  free: (name: string) => boolean
  onChange: (chosen: Set<string>) => void
}

/** Every permission with its sentence, by the part of the hub that asks for it. */
export function PermissionChoices({ permissions, chosen, inherited, parent, free, onChange }: PermissionChoicesProps) {
  const { t } = useLanguage()
  const modules = [...new Set(permissions.map(({ module }) => module))]
  const toggle = (name: string, on: boolean) => {
    const next = new Set(chosen)
    if (on) next.add(name)
    else next.delete(name)
    onChange(next)
  }
  return (
    <div className={classes.permissions} role="group" aria-label={t.access.permissions}>
      {modules.map((module) => (
        <fieldset key={module} className={classes.group}>
          <legend>{t.modules[module] ?? module}</legend>
          <div className={classes.choices}>
            {permissions
              .filter((permission) => permission.module === module)
              .map(({ name, title }) => (
                <Checkbox
                  key={name}
                  label={permissionWord(t, name, title)}
                  description={inherited.has(name) ? `${name} · ${t.access.fromParent(parent)}` : name}
                  checked={chosen.has(name) || inherited.has(name)}
                  disabled={inherited.has(name) || !free(name)}
                  onChange={(event) => toggle(name, event.currentTarget.checked)}
                />
              ))}
          </div>
        </fieldset>
      ))}
    </div>
  )
}
