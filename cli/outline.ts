/** How a command is called: what its help, its parser and the completion of shells are made from. Pure. */
import { type Flag, flagsHelp, parseArguments } from '../src/command-line.js'
import { BootswarmError } from '../src/errors.js'
import { nearest } from '../src/spelling.js'

/** A command, or a part of one. */
export interface Outline {
  readonly name: string
  /** One line for the help. */
  readonly summary: string
  /** What its words are called, the optional ones in brackets: `NODES [TEXT]`. */
  readonly words?: string
  /** What the help says below. */
  readonly details?: readonly string[]
  readonly flags: readonly Flag[]
  /** It does nothing without one of these. */
  readonly parts?: readonly Outline[]
}

/** A command line that fits an outline. */
export interface Call {
  /** The names on the way to what is called: `node`, `list`. */
  readonly path: readonly string[]
  readonly words: readonly string[]
  /** The last value of each flag that was given; empty for one that takes none. */
  readonly flags: ReadonlyMap<string, string>
}

/** What to do with a command line: print a help, or what is called. */
export type Reading = { readonly help: string } | { readonly call: Call }

/**
 * Reads the arguments after the command's own name.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function readCall(outline: Outline, args: readonly string[], above: readonly string[] = []): Reading {
  const path = [...above, outline.name]
  if (outline.parts !== undefined) {
    const [first, ...rest] = args
    const part = outline.parts.find(({ name }) => name === first)
    if (part !== undefined) return readCall(part, rest, path)
    if (first === '--help' || first === '-h') return { help: helpOf(outline, path) }
    throw unknownPart(outline.parts, path, first)
  }
  const { min, max } = countWords(outline.words)
  const { flags, words } = parseArguments(args, outline.flags, max)
  const given = new Map(flags.map(({ name, value = '' }) => [name, value]))
  if (given.has('help')) return { help: helpOf(outline, path) }
  const empty = outline.flags.find(({ name, value }) => value !== undefined && given.get(name) === '')
  if (empty !== undefined) throw usage(`--${empty.name} needs a value`)
  if (words.length < min) throw usage(`${path.join(' ')} needs ${outline.words}: see --help`)
  return { call: { path, words, flags: given } }
}

/** The text of `--help`. */
export function helpOf(
  { summary, words, details = [], flags, parts }: Outline,
  path: readonly string[],
): string {
  const name = `bootswarm ${path.join(' ')}`
  if (parts !== undefined) {
    const lines = parts.map((part) => `  ${`${part.name} ${part.words ?? ''}`.padEnd(26)}${part.summary}`)
    return [
      `${name} ...: ${summary}`,
      '',
      ...lines,
      '',
      `${name} NAME --help lists the options of one.`,
      '',
    ].join('\n')
  }
  const call = [name, ...(words === undefined ? [] : [words]), '[options]'].join(' ')
  return [`${call}: ${summary}`, '', ...details, ...(details.length > 0 ? [''] : []), flagsHelp(flags)].join(
    '\n',
  )
}

function countWords(words = ''): { readonly min: number; readonly max: number } {
  const names = words.split(' ').filter(Boolean)
  return { min: names.filter((name) => !name.startsWith('[')).length, max: names.length }
}

function unknownPart(parts: readonly Outline[], path: readonly string[], wanted = ''): BootswarmError {
  const names = parts.map(({ name }) => name)
  if (wanted === '' || wanted.startsWith('-')) return usage(`${path.join(' ')} what? ${names.join(', ')}`)
  const meant = nearest(wanted, names)
  const hint = meant ? `did you mean ${meant}?` : names.join(', ')
  return usage(`there is no ${path.join(' ')} ${JSON.stringify(wanted.slice(0, 40))}: ${hint}`)
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
