/** The key `power` of profiles and nodes: how a node is switched off and on. */

import { z } from 'zod'

/** What a text can have of a node, in braces. */
const powerPlaceholders = ['id', 'name', 'mac', 'address', 'action'] as const
type PowerPlaceholder = (typeof powerPlaceholders)[number]

/** What is filled in; undefined: it is not known of the node. */
export type PowerValues = Readonly<Record<PowerPlaceholder, string | undefined>>

const placeholder = /\{([^{}]*)\}/g
const textLengthMax = 1024
const wordsMax = 32

const text = z
  .string()
  .min(1)
  .max(textLengthMax)
  .refine((value) => !/\p{Cc}/u.test(value), 'expected no control characters')
  .superRefine((value, context) => {
    for (const [whole, name] of value.matchAll(placeholder)) {
      if ((powerPlaceholders as readonly string[]).includes(name ?? '')) continue
      const known = powerPlaceholders.map((one) => `{${one}}`).join(', ')
      context.addIssue({ code: 'custom', message: `there is no ${whole}, only ${known}` })
    }
  })

const file = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'expected the whole path of a file')
const user = z.string().regex(/^[\x21-\x7e]{1,64}$/, 'expected the name of a user')
const passwordFile = file.describe('file with the password, read by the user of the server')

const command = z
  .array(text)
  .min(1)
  .max(wordsMax)
  .refine(([program = '']) => /^\/[^{}]*$/.test(program), 'expected the whole path of a program first')

const ipmi = z.strictObject({
  host: text
    .refine((value) => parseHost(value) !== undefined, 'expected a name or an IP address, with :PORT or not')
    .describe('address of the controller (BMC), such as bmc-{name}'),
  user,
  password_file: passwordFile,
})

const redfish = z
  .strictObject({
    url: text
      .refine((value) => isPlainUrl(value), 'expected https://HOST')
      .describe('of the service, or of one of its systems: https://bmc-{name}'),
    user,
    password_file: passwordFile,
    ca: file
      .optional()
      .describe('CA of its certificate (PEM); without it, and `fingerprint`, those of the system'),
    fingerprint: z
      .string()
      .transform((value) => value.replaceAll(':', '').toLowerCase())
      .refine((value) => /^[0-9a-f]{64}$/.test(value), 'expected 64 hex digits')
      .optional()
      .describe('SHA-256 of its certificate'),
  })
  .refine(
    ({ ca, fingerprint }) => ca === undefined || fingerprint === undefined,
    'expected ca or fingerprint',
  )

/** How the power of a node is controlled. */
export const powerSchema = z
  .strictObject({
    command: command
      .optional()
      .describe(
        'program and arguments, without a shell; {id}, {name}, {mac}, {address} of the node and {action} (reboot, wake)',
      ),
    ipmi: ipmi.optional().describe('IPMI 2.0 over the network, by ipmitool'),
    redfish: redfish.optional().describe('Redfish over HTTPS'),
  })
  .refine(
    (value) => Object.values(value).filter((one) => one !== undefined).length === 1,
    'expected one of command, ipmi, redfish',
  )

/** As configured: one of them. */
export type PowerConfig = z.output<typeof powerSchema>

/** For people: `ipmi admin at bmc-{name}`. */
export function powerText({ command: words, ipmi: byIpmi, redfish: byRedfish }: PowerConfig): string {
  if (byIpmi !== undefined) return `ipmi ${byIpmi.user} at ${byIpmi.host}`
  if (byRedfish !== undefined) return `redfish ${byRedfish.user} at ${byRedfish.url}`
  const shown = (words ?? []).map((word) => (/^\S+$/.test(word) ? word : JSON.stringify(word)))
  return `command ${shown.join(' ')}`
}

/** A text with what it asks of a node. @throws Error for a value that is not known of it */
export function fillIn(wanted: string, values: PowerValues): string {
  return wanted.replace(placeholder, (_, name: PowerPlaceholder) => {
    const value = values[name]
    if (value === undefined) throw new Error(`its power asks for {${name}}, which is not known of it`)
    return value
  })
}

/** `NAME`, `NAME:PORT`, `[IPv6]:PORT`; the port of IPMI where there is none. */
export function parseHost(value: string): { readonly host: string; readonly port: number } | undefined {
  const [, plain, bracketed, port = '623'] =
    /^(?:([A-Za-z0-9][A-Za-z0-9._{}-]*|\{[a-z]+\}[A-Za-z0-9._{}-]*)|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?$/.exec(
      value,
    ) ?? []
  const host = plain ?? bracketed
  return host === undefined || Number(port) > 65_535 || Number(port) === 0
    ? undefined
    : { host, port: Number(port) }
}

/** Placeholders are no URL: they stand for a letter here. */
function isPlainUrl(value: string): boolean {
  try {
    const url = new URL(value.replace(placeholder, 'x'))
    return url.protocol === 'https:' && `${url.username}${url.password}${url.search}${url.hash}` === ''
  } catch {
    return false
  }
}
