/**
 * From the texts of file, variables and flags to one valid configuration. Knows where each value came from,
 * so that a mistake is reported where it was made.
 */

import type { z } from 'zod'
import { type Config, configSchema } from './config.js'
import { describeIssue } from './config-issues.js'
import { type ConfigKey, configKeys, knownNames } from './config-keys.js'
import type { ConfigPath } from './config-path.js'
import { parseYaml, type YamlInput } from './config-yaml.js'
import { BootswarmError } from './errors.js'
import { desiredStateMistake } from './profile-check.js'
import { nearest } from './spelling.js'

/** A value given outside the file. */
export interface ConfigOverride {
  readonly key: ConfigKey
  /** Who gives it, for messages: `BOOTSWARM_HTTP_PORT` or `--http-port`. */
  readonly source: string
  readonly text: string
}

/** A configuration file as it was read. */
export interface ConfigFile {
  readonly text: string
  readonly name: string
}

/** A configuration that knows where its values were given. */
export interface PlacedConfig {
  readonly config: Config
  /** `FILE:LINE:COLUMN`, a variable or a flag; undefined for what nobody gave. */
  readonly placeOf: (path: ConfigPath) => string | undefined
}

/**
 * @param file the file's text and name, if there is one
 * @param overrides in rising precedence
 * @throws BootswarmError CONFIG_INVALID, CONFIG_UNKNOWN_KEY, CONFIG_UNREADABLE
 */
export function parsePlacedConfig(
  file: ConfigFile | undefined,
  overrides: readonly ConfigOverride[] = [],
): PlacedConfig {
  const yaml = file && parseYaml(file.text, file.name)
  const input = yaml?.value ?? {}
  // The file alone first: a wrong section must not hide behind an override of one of its keys.
  const fromFile = configSchema.safeParse(input)
  if (!fromFile.success && file && yaml && !isCrossCheck(fromFile.error)) {
    throw mistake(
      fromFile.error,
      input,
      (path, key) => `${file.name}:${key ? yaml.placeOfKey(path) : yaml.placeOf(path)}`,
    )
  }
  const merged = structuredClone(input) as Record<string, unknown>
  const sources = new Map<string, string>()
  for (const override of overrides) {
    assign(merged, override.key.path, readText(override))
    sources.set(override.key.name, override.source)
  }
  const parsed = configSchema.safeParse(merged)
  const where = whereIs(sources, file?.name, yaml)
  if (!parsed.success) throw mistake(parsed.error, merged, where)
  const wrong = desiredStateMistake(parsed.data)
  if (wrong !== undefined) {
    const { path, message } = wrong
    throw new BootswarmError('CONFIG_INVALID', `${where(path)}: ${path.join('.').slice(0, 80)}: ${message}`)
  }
  return {
    config: parsed.data,
    placeOf: (path) => {
      // One value may stand where a list could.
      const isThere = yaml?.has(path) === true || (path.at(-1) === 0 && yaml?.has(path.slice(0, -1)) === true)
      return isThere || sourceOf(sources, path) !== undefined ? where(path) : undefined
    },
  }
}

/** Ports that collide with one another may be put right by an override. */
function isCrossCheck(error: z.ZodError): boolean {
  return error.issues.every((issue) => issue.code === 'custom' && issue.path.at(-1) === 'port')
}

function whereIs(
  sources: ReadonlyMap<string, string>,
  file: string | undefined,
  yaml: YamlInput | undefined,
): (path: readonly PropertyKey[]) => string {
  return (path) =>
    sourceOf(sources, path) ?? (file && yaml ? `${file}:${yaml.placeOf(path)}` : 'the configuration')
}

/** The variable or flag that gives a value or what it is part of. */
function sourceOf(sources: ReadonlyMap<string, string>, path: readonly PropertyKey[]): string | undefined {
  for (let n = path.length; n > 0; n--) {
    const source = sources.get(path.slice(0, n).join('.'))
    if (source !== undefined) return source
  }
  return undefined
}

function mistake(
  error: z.ZodError,
  input: unknown,
  where: (path: readonly PropertyKey[], key?: boolean) => string,
): BootswarmError {
  // A misspelt key often shows as a missing one too: the spelling says more.
  const issue = error.issues.find(({ code }) => code === 'unrecognized_keys') ?? error.issues[0]
  if (!issue) return new BootswarmError('CONFIG_INVALID', 'invalid')
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    const path = [...issue.path, key]
    const known = knownNames(issue.path) ?? []
    const meant = nearest(key, known)
    const hint = meant ? `did you mean ${meant}?` : `expected one of ${known.join(', ')}`
    return new BootswarmError(
      'CONFIG_UNKNOWN_KEY',
      `${where(path, true)}: unknown key ${path.join('.').slice(0, 80)}: ${hint}`,
    )
  }
  const value = issue.path.reduce<unknown>(
    (at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step],
    input,
  )
  const name = issue.path.length === 0 ? '' : ` ${issue.path.map(String).join('.').slice(0, 80)}:`
  return new BootswarmError('CONFIG_INVALID', `${where(issue.path)}:${name} ${describeIssue(issue, value)}`)
}

/** A text as the value that the schema wants; what does not fit is left as text for the schema to refuse. */
function readText({ key, source, text }: ConfigOverride): unknown {
  switch (key.kind) {
    case 'number':
      return /^-?[0-9]{1,15}(?:\.[0-9]{1,6})?$/.test(text) ? Number(text) : text
    case 'boolean':
      return (
        { true: true, yes: true, on: true, 1: true, false: false, no: false, off: false, 0: false }[text] ??
        text
      )
    case 'yaml':
      return parseYaml(text, source, key.path).value ?? (key.default as unknown)
    case 'text':
      return text
  }
}

function assign(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path
  if (rest.length === 0) {
    target[first] = value
    return
  }
  const inner = target[first] ?? {}
  target[first] = inner
  assign(inner as Record<string, unknown>, rest, value)
}

/** The value with a variable's name. */
export function keyOfVariable(variable: string): ConfigKey | undefined {
  return configKeys.find((key) => key.variable === variable)
}
