/**
 * Makes docs/config.schema.json and the table in docs/configuration.md from the schema.
 * `node dist/scripts/config-docs.js` writes them; a test holds the files against this program.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { configJsonSchema } from '../src/config.js'
import { configKeys } from '../src/config-keys.js'

/** The published schema. */
export const SCHEMA_FILE = 'docs/config.schema.json'
/** The page with the table. */
export const PAGE_FILE = 'docs/configuration.md'

const BEGIN = '<!-- made by scripts/config-docs.ts -->'
const END = '<!-- end -->'

/** The text of the schema's file. */
export function schemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`
}

/** The page with its table made anew. */
export function withTable(page: string): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${PAGE_FILE} lacks ${BEGIN} or ${END}`)
  const rows = configKeys.map((key) => {
    const choices = key.choices ? ` (${key.choices.join(', ')})` : ''
    const value = key.default === '' ? '' : `\`${JSON.stringify(key.default)}\``
    return `| \`${key.name}\` | ${value} | ${key.description}${choices} |`
  })
  const table = ['| key | default | meaning |', '|---|---|---|', ...rows].join('\n')
  return `${page.slice(0, begin)}${BEGIN}\n${table}\n${page.slice(end)}`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(SCHEMA_FILE, schemaText())
  writeFileSync(PAGE_FILE, withTable(readFileSync(PAGE_FILE, 'utf8')))
}
