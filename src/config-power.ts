/** The key `power` of profiles and nodes: how a node is switched off and on. */

import { z } from 'zod'

/** What a word of a command can have of a node, in braces. */
const powerPlaceholders = ['id', 'name', 'mac', 'address', 'action'] as const
/** One of them. */
type PowerPlaceholder = (typeof powerPlaceholders)[number]

const placeholder = /\{([^{}]*)\}/g
const wordLengthMax = 1024
const wordsMax = 32

const word = z
  .string()
  .min(1)
  .max(wordLengthMax)
  .refine((text) => !/\p{Cc}/u.test(text), 'expected no control characters')
  .superRefine((text, context) => {
    for (const [whole, name] of text.matchAll(placeholder)) {
      if ((powerPlaceholders as readonly string[]).includes(name ?? '')) continue
      const known = powerPlaceholders.map((one) => `{${one}}`).join(', ')
      context.addIssue({ code: 'custom', message: `there is no ${whole}, only ${known}` })
    }
  })

/** How the power of a node is controlled. */
export const powerSchema = z.strictObject({
  command: z
    .array(word)
    .min(1)
    .max(wordsMax)
    .refine(([program = '']) => /^\/[^{}]*$/.test(program), 'expected the whole path of a program first')
    .describe(
      'program and arguments, without a shell; {id}, {name}, {mac}, {address} of the node and {action} (reboot, wake)',
    ),
})

/** As configured. */
export type PowerConfig = z.output<typeof powerSchema>

/** For people: the words in brackets where one has spaces. */
export function powerText({ command }: PowerConfig): string {
  return `command ${command.map((text) => (/^\S+$/.test(text) ? text : JSON.stringify(text))).join(' ')}`
}

/** Whether a command tells its actions apart. */
export function knowsAction({ command }: PowerConfig): boolean {
  return command.some((text) => text.includes('{action}'))
}

/** The words of a command with what it asks of a node. @throws Error for a value that is not known of it */
export function fillCommand(
  { command }: PowerConfig,
  values: Readonly<Record<PowerPlaceholder, string | undefined>>,
): string[] {
  return command.map((text) =>
    text.replace(placeholder, (_, name: PowerPlaceholder) => {
      const value = values[name]
      if (value === undefined) throw new Error(`its command asks for {${name}}, which is not known of it`)
      return value
    }),
  )
}
