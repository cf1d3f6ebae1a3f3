/** The command line of `npm test`. Pure. */
import { parseArgs } from 'node:util'
import { BootswarmError } from '../../src/errors.js'
import { nearest } from '../../src/spelling.js'

/** What was asked for. */
export interface Choice {
  readonly mode: 'run' | 'list' | 'help'
  readonly quick: boolean
  /** Names of steps, in the order of the suite. */
  readonly names: readonly string[]
  readonly repeat: number
  /** While two busy loops hold each core. */
  readonly loaded: boolean
}

const REPEAT_MAX = 1000

export const usage = `usage: npm test -- [quick | STEP...] [--repeat N] [--loaded]
       npm test -- --list

  no words     everything, as continuous integration does
  quick        what needs no root and no machines, in less than two minutes; says what it left out
  STEP...      these steps only
  --repeat N   the steps N times in a row
  --loaded     while two busy loops hold each core (npm run test:slow)
  --list       the steps
  --help       this text
`

/**
 * Reads the arguments, given the names of all steps.
 * @throws {BootswarmError} USAGE_INVALID
 */
export function choose(argv: readonly string[], steps: readonly string[]): Choice {
  const { values, positionals } = parse(argv)
  const quick = positionals.includes('quick')
  const wanted = positionals.filter((word) => word !== 'quick')
  for (const word of wanted) {
    if (steps.includes(word)) continue
    const meant = nearest(word, [...steps, 'quick'])
    const hint = meant === undefined ? '.' : `, did you mean ${meant}?`
    throw new BootswarmError(
      'USAGE_INVALID',
      `there is no step ${word}${hint} There are: ${steps.join(', ')}; and quick`,
    )
  }
  if (quick && wanted.length > 0) {
    throw new BootswarmError('USAGE_INVALID', 'quick is a choice of its own: no steps beside it')
  }
  const repeat = Number(values.repeat ?? 1)
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > REPEAT_MAX) {
    throw new BootswarmError('USAGE_INVALID', `--repeat wants a number from 1 to ${REPEAT_MAX}`)
  }
  return {
    mode: values.help ? 'help' : values.list ? 'list' : 'run',
    quick,
    names: steps.filter((name) => wanted.length === 0 || wanted.includes(name)),
    repeat,
    loaded: values.loaded === true,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        list: { type: 'boolean' },
        loaded: { type: 'boolean' },
        repeat: { type: 'string' },
      },
    })
  } catch (error) {
    throw new BootswarmError('USAGE_INVALID', `${(error as Error).message.split('\n')[0]}; see --help`)
  }
}
