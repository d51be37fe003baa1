import { NumberInput, Text, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '@/api/client'
import { changeModel } from '@/api/gateway'
import type { Model } from '@/api/types'
import { useLanguage } from '@/i18n'
import { FormDialog } from '@/ui/FormDialog'
import { useToasts } from '@/ui/toasts'
import classes from './administration.module.css'

type Amount = string | number

export function ModelDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const { t } = useLanguage()
  const client = useQueryClient()
  const toasts = useToasts()
  const [name, setName] = useState(model.name)
  const [aliases, setAliases] = useState(model.aliases.join(', '))
  const [context, setContext] = useState<Amount>(model.context_length)
  const [input, setInput] = useState<Amount>(Number(model.input_price))
  const [output, setOutput] = useState<Amount>(Number(model.output_price))
  const [request, setRequest] = useState<Amount>(Number(model.request_price))
  const save = useMutation({
    mutationFn: () =>
      changeModel(model.id, {
        name: name.trim(),
        aliases: aliases
          .split(',')
          .map((alias) => alias.trim())
          .filter((alias) => alias !== ''),
        ...(context === '' ? {} : { context_length: Number(context) }),
        input_price: String(input === '' ? 0 : input),
        output_price: String(output === '' ? 0 : output),
        request_price: String(request === '' ? 0 : request),
      }),
    onSuccess: async () => {
      toasts.say(t.common.saved)
      onClose()
      await client.invalidateQueries({ queryKey: ['models'] })
    },
  })
  const problem = save.error instanceof Problem ? save.error : null
  const price = (label: string, field: string, value: Amount, onChange: (next: Amount) => void, unit: string) => (
    <NumberInput
      label={label}
      description={unit}
      min={0}
      decimalScale={6}
      hideControls
      value={value}
      error={problem?.fieldError(field)}
      onChange={onChange}
    />
  )
  return (
    <FormDialog
      title={model.name}
      action={t.common.save}
      busy={save.isPending}
      ready={name.trim() !== ''}
      error={save.error}
      size={520}
      onSubmit={() => save.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={t.models.name}
        data-autofocus
        value={name}
        error={problem?.fieldError('name')}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <Text size="sm" c="dimmed">
        {t.models.upstream}: <code>{model.upstream_name}</code> · {model.provider_name}
      </Text>
      <TextInput
        label={t.models.aliases}
        description={t.models.aliasesHint}
        value={aliases}
        error={problem?.fieldError('aliases')}
        onChange={(event) => setAliases(event.currentTarget.value)}
      />
      <NumberInput
        label={t.models.context}
        description={t.models.contextHint}
        min={1}
        allowDecimal={false}
        hideControls
        value={context}
        error={problem?.fieldError('context_length')}
        onChange={setContext}
      />
      <div className={classes.prices}>
        {price(t.models.inputPrice, 'input_price', input, setInput, t.models.priceUnit)}
        {price(t.models.outputPrice, 'output_price', output, setOutput, t.models.priceUnit)}
        {price(t.models.requestPrice, 'request_price', request, setRequest, t.models.requestUnit)}
      </div>
    </FormDialog>
  )
}
