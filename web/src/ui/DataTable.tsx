import { Button, Skeleton } from '@mantine/core'
import type { ReactNode } from 'react'
import { useLanguage } from '@/i18n'
import classes from './DataTable.module.css'

export interface Column<Row> {
  key: string
  header: string
  cell: (row: Row) => ReactNode
  /** Numbers stand under each other at the end. */
  numeric?: boolean
  /** Left out on a phone. */
  wide?: boolean
  /** Keeps the columns of several tables under each other. */
  width?: string
  /** Its header is for screen readers only. */
  quiet?: boolean
}

export interface DataTableProps<Row> {
  label: string
  columns: Column<Row>[]
  rows: Row[] | undefined
  rowKey: (row: Row) => string
  /** Shown in the place of the table when there is nothing. */
  empty: ReactNode
  more?: { has: boolean; loading: boolean; load: () => void }
}

const WIDTHS = ['55%', '75%', '40%', '65%', '50%']

function cellClass<Row>(column: Column<Row>): string {
  return [column.numeric === true ? classes.numeric : '', column.wide === true ? classes.wide : ''].join(' ')
}

export function DataTable<Row>({ label, columns, rows, rowKey, empty, more }: DataTableProps<Row>) {
  const { t } = useLanguage()
  if (rows?.length === 0) return <div className={classes.frame}>{empty}</div>
  return (
    <>
      <div className={classes.frame}>
        <table className={classes.table} aria-label={label} aria-busy={rows === undefined}>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column.key} scope="col" className={cellClass(column)} style={{ width: column.width }}>
                  {column.quiet === true ? <span className={classes.unseen}>{column.header}</span> : column.header}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows === undefined
              ? WIDTHS.map((width, index) => (
                  <tr key={index}>
                    {columns.map((column, at) => (
                      <td key={column.key} className={cellClass(column)}>
                        {column.quiet !== true && (
                          <Skeleton height={11} my={5} width={WIDTHS[(index + at) % WIDTHS.length] ?? width} />
                        )}
                      </td>
                    ))}
                  </tr>
                ))
              : rows.map((row) => (
                  <tr key={rowKey(row)}>
                    {columns.map((column) => (
                      <td key={column.key} className={cellClass(column)}>
                        {column.cell(row)}
                      </td>
                    ))}
                  </tr>
                ))}
          </tbody>
        </table>
      </div>
      {more?.has === true && (
        <Button variant="default" mt="sm" loading={more.loading} onClick={more.load}>
          {t.common.more}
        </Button>
      )}
    </>
  )
}
