/**
 * The flags of a command line: `--flag value`, `--flag=value`, `--flag`, `-h`, and the words between them. `node:util` takes it
 * apart; here are the known flags, and the error for an unknown one. Pure.
 */
import { parseArgs } from 'node:util'
import { BootswarmError } from './errors.js'
import { nearest } from './spelling.js'

/** A flag that may be given. */
export interface Flag {
  /** Without dashes. */
  readonly name: string
  /** One letter: `-f`. */
  readonly short?: string
  /** What its value is called in the help; none if it takes none. */
  readonly value?: string
  /** It may stand alone, and a value follows an equals sign only: `--flag`, `--flag=VALUE`. */
  readonly valueOptional?: boolean
  /** `--no-NAME` is `--NAME=false`. */
  readonly negatable?: true
  readonly description: string
}

/** A flag that was given. */
export interface GivenFlag {
  /** Without dashes. */
  readonly name: string
  /** Undefined where none was given, which only a flag that needs none allows. It may be empty. */
  readonly value: string | undefined
}

/** Longest part of a wrong argument that the error repeats. */
const shownMax = 80

/** What a command line has. */
export interface GivenArguments {
  readonly flags: readonly GivenFlag[]
  /** What is no flag and no value of one, in order. */
  readonly words: readonly string[]
}

/**
 * The flags in the order in which they were given. `-h` is `--help`, where that is a flag.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseFlags(args: readonly string[], flags: readonly Flag[]): GivenFlag[] {
  return [...parseArguments(args, flags, 0).flags]
}

/**
 * The same, with so many words at most.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function parseArguments(
  args: readonly string[],
  flags: readonly Flag[],
  wordsMax: number,
): GivenArguments {
  const known = new Map(flags.map((flag) => [flag.name, flag]))
  const negated = new Map(flags.flatMap((flag) => (flag.negatable ? [[`no-${flag.name}`, flag]] : [])))
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries([
      ...flags.map(({ name, short, value, valueOptional }) => [
        name,
        {
          type: value === undefined || valueOptional === true ? ('boolean' as const) : ('string' as const),
          ...(name === 'help' ? { short: 'h' } : short === undefined ? {} : { short }),
        },
      ]),
      ...[...negated.keys()].map((name) => [name, { type: 'boolean' as const }]),
    ]),
    // The error is made below, in this program's own terms.
    strict: false,
    tokens: true,
  })
  const words: string[] = []
  const given = tokens.flatMap((token): GivenFlag[] => {
    if (token.kind === 'option-terminator') {
      if (wordsMax > 0) return []
      throw usage('"--" is no flag')
    }
    if (token.kind === 'positional') {
      words.push(token.value)
      if (words.length <= wordsMax) return []
      const word = JSON.stringify(token.value.slice(0, shownMax))
      throw usage(wordsMax === 0 ? `${word} is no flag` : `${word} is one word too many: see --help`)
    }
    const opposite = negated.get(token.name)
    if (opposite !== undefined) {
      if (token.value !== undefined) throw usage(`${token.rawName} takes no value`)
      return [{ name: opposite.name, value: 'false' }]
    }
    const flag = known.get(token.name)
    if (flag === undefined) throw unknown(token.rawName, flags)
    if (flag.value === undefined && token.value !== undefined) throw usage(`${token.rawName} takes no value`)
    const needed = flag.value !== undefined && flag.valueOptional !== true
    if (needed && token.value === undefined) throw usage(`${token.rawName} needs a value`)
    return [{ name: flag.name, value: token.value }]
  })
  return { flags: given, words }
}

/** The lines of the help about flags; what a flag does begins in column `column`. */
export function flagsHelp(flags: readonly Flag[], column = 28): string {
  return flags
    .map(({ name, short, value, negatable, description }) => {
      const left = `  ${short === undefined ? '' : `-${short}, `}--${name}${negatable ? `, --no-${name}` : value === undefined ? '' : ` ${value}`}`
      const fits = left.length <= column - 2
      return fits
        ? `${left.padEnd(column)}${description}\n`
        : `${left}\n${' '.repeat(column)}${description}\n`
    })
    .join('')
}

function unknown(word: string, flags: readonly Flag[]): BootswarmError {
  const meant = nearest(
    word,
    flags.map(({ name }) => `--${name}`),
  )
  return usage(
    `there is no flag ${word.slice(0, shownMax)}${meant ? `: did you mean ${meant}?` : ': see --help'}`,
  )
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
