/** The arguments of `bootswarm config ...`: words first, then flags. Pure. */

import { type Flag, parseFlags } from '../../src/command-line.js'
import { BootswarmError } from '../../src/errors.js'

/** A part of `bootswarm config`. */
export interface Part {
  readonly name: string
  /** What its word is called; in brackets if it may be missing. */
  readonly word: string
  readonly summary: string
  readonly flags: readonly Flag[]
}

/** What was given. */
export interface Given {
  readonly word: string | undefined
  /** The values of each flag; empty for one that takes none. */
  readonly flags: ReadonlyMap<string, readonly string[]>
}

/** @throws BootswarmError USAGE_INVALID */
export function readArguments(part: Part, args: readonly string[]): Given {
  const first = args.findIndex((arg) => arg.startsWith('-'))
  const words = first < 0 ? args : args.slice(0, first)
  const flags = new Map<string, string[]>()
  for (const { name, value = '' } of parseFlags(first < 0 ? [] : args.slice(first), part.flags)) {
    flags.set(name, [...(flags.get(name) ?? []), value])
  }
  const isNeeded = !part.word.startsWith('[')
  if (!flags.has('help') && (words.length > 1 || (isNeeded && words.length === 0))) {
    throw new BootswarmError(
      'USAGE_INVALID',
      `config ${part.name} takes ${part.word}, then flags: see --help`,
    )
  }
  return { word: words[0], flags }
}
