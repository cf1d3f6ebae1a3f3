/** Values that several parts of the configuration have: names, hostlists, settings, lists that may be one word. */

import { z } from 'zod'
import type { BootswarmError } from './errors.js'
import { expandHostlist } from './hostlist.js'
import { NAME_LENGTH_MAX, SETTINGS_MAX } from './limits.js'
import { checkSetting } from './manifest-limits.js'

/** The name of the site, of a rack, of a group. */
export const printableName = z
  .string()
  .regex(/^[\x20-\x7e]+$/, 'expected printable ASCII')
  .max(NAME_LENGTH_MAX)

/** A hostlist: src/hostlist.ts. */
export const hostlist = z.string().superRefine((value, context) => {
  try {
    expandHostlist(value)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

/** Environment variables of nodes, always as text. */
export const settings = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))
  .superRefine((value, context) => {
    const entries = Object.entries(value)
    if (entries.length > SETTINGS_MAX) {
      context.addIssue({ code: 'custom', message: `expected at most ${SETTINGS_MAX} settings` })
    }
    for (const [key, text] of entries) {
      try {
        checkSetting(key, text)
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as BootswarmError).message, path: [key] })
      }
    }
  })

/** A DHCP relay's identity of a switch port (option 82). */
export const relayId = z.string().regex(/^[\x21-\x7e]{1,512}$/, 'expected printable ASCII')

/** One value or a list of them; always a list afterwards. */
export function oneOrMore<T extends z.ZodType<string>>(value: T, max: number) {
  return z
    .union([value, z.array(value).max(max)], 'expected one or a list of them')
    .transform((given) => (Array.isArray(given) ? given : [given]))
}
