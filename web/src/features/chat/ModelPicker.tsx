import { Combobox, Text, UnstyledButton, useCombobox } from '@mantine/core'
import { IconCheck, IconChevronDown, IconFileUpload, IconPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import type { Model } from '@/api/types'
import { useLanguage } from '@/i18n'
import { useMay } from '@/ui/session'
import chatClasses from './chat.module.css'
import classes from './composer.module.css'
import { chatModels } from './models'

const SEARCH_FROM = 8
const ADD_PROVIDER = '\u0000add'
const ADD_GGUF = '\u0000gguf'

export function ModelPicker({ models, value, onChange }: { models: Model[]; value: string | null; onChange: (name: string) => void }) {
  const { t } = useLanguage()
  const may = useMay()
  const navigate = useNavigate()
  const [search, setSearch] = useState('')
  const combobox = useCombobox({
    onDropdownClose: () => {
      combobox.resetSelectedOption()
      setSearch('')
    },
    onDropdownOpen: () => combobox.updateSelectedOptionIndex('active'),
  })
  const usable = chatModels(models)
  const searchable = usable.length >= SEARCH_FROM
  const matching = usable.filter((model) =>
    `${model.name} ${model.provider_name}`.toLowerCase().includes(search.trim().toLowerCase()),
  )
  const current = usable.find(({ name, aliases }) => name === value || (value !== null && aliases.includes(value)))

  return (
    <Combobox
      store={combobox}
      position="top-start"
      width={340}
      shadow="md"
      onOptionSubmit={(name) => {
        combobox.closeDropdown()
        if (name === ADD_PROVIDER) void navigate('/admin/models?add=provider')
        else if (name === ADD_GGUF) void navigate('/admin/models?add=gguf')
        else onChange(name)
      }}
    >
      <Combobox.Target targetType="button" withAriaAttributes withExpandedAttribute>
        <UnstyledButton
          role="combobox"
          className={classes.pick}
          aria-label={`${t.chat.chooseModel}: ${value ?? t.chat.model}${current?.demonstration === true ? ` ${t.chat.demonstration}` : ''}`}
          onClick={() => combobox.toggleDropdown()}
        >
          <span className={classes.pickName}>{value ?? t.chat.model}</span>{' '}
          {current?.demonstration === true && <span className={chatClasses.demo}>{t.chat.demonstration}</span>}
          <IconChevronDown size={14} aria-hidden />
        </UnstyledButton>
      </Combobox.Target>
      <Combobox.Dropdown>
        {searchable && (
          <Combobox.Search
            value={search}
            placeholder={t.chat.searchModels}
            aria-label={t.chat.searchModels}
            onChange={(event) => {
              setSearch(event.currentTarget.value)
              combobox.selectFirstOption()
            }}
          />
        )}
        <Combobox.Options mah={320} className={classes.options} aria-label={t.chat.chooseModel}>
          {usable.length === 0 && <Combobox.Empty>{t.chat.noModels}</Combobox.Empty>}
          {usable.length > 0 && matching.length === 0 && <Combobox.Empty>{t.palette.nothing}</Combobox.Empty>}
          {matching.map((model) => (
            <Combobox.Option key={model.id} value={model.name} active={model === current}>
              <div className={classes.option}>
                <div>
                  <div className={classes.optionName}>
                    {model.name}{' '}
                    {model.demonstration && <span className={chatClasses.demo}>{t.chat.demonstration}</span>}
                  </div>
                  <Text size="xs" c="dimmed">
                    {model.state === 'stopped'
                      ? t.models.states.stopped
                      : model.demonstration
                        ? t.chat.demonstrationHint
                        : model.provider_name}
                  </Text>
                </div>
                {model === current && <IconCheck size={16} aria-hidden />}
              </div>
            </Combobox.Option>
          ))}
          {may('providers:manage') && (
            <Combobox.Option value={ADD_PROVIDER} className={classes.addOption ?? ''}>
              <IconPlus size={15} aria-hidden /> {t.chat.addProvider}
            </Combobox.Option>
          )}
          {may('models:manage') && (
            <Combobox.Option value={ADD_GGUF} className={classes.addOption ?? ''}>
              <IconFileUpload size={15} aria-hidden /> {t.gguf.title}
            </Combobox.Option>
          )}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  )
}
