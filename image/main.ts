/** `bootswarm image ...`: makes what nodes boot. Each kind of image is a line of the table. */
import { printText } from '../host/console.js'
import { BootswarmError } from '../src/errors.js'
import { nearest } from '../src/spelling.js'

/** A kind of image. */
interface Kind {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<{ readonly main: (args: readonly string[]) => Promise<number> }>
}

const kinds: readonly Kind[] = [
  {
    name: 'stage1',
    summary: 'kernel and initramfs, which nodes load before anything else',
    load: () => import('./stage1.js'),
  },
  {
    name: 'rootfs',
    summary: 'a root file system, which the agent unpacks',
    load: () => import('./rootfs.js'),
  },
]

/**
 * Runs the builder that the first argument names.
 * @throws {BootswarmError} USAGE_INVALID for an unknown one; what the builder throws.
 */
export async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args
  const kind = kinds.find(({ name }) => name === first)
  if (kind !== undefined) return (await kind.load()).main(rest)
  if (first === '--help' || first === '-h') {
    printText(helpText())
    return 0
  }
  throw new BootswarmError('USAGE_INVALID', unknownKind(first))
}

function unknownKind(wanted = '--'): string {
  const names = kinds.map(({ name }) => name)
  if (wanted.startsWith('-')) return `which image? ${names.join(' or ')}; image --help explains`
  const meant = nearest(wanted, names)
  return `there is no image ${JSON.stringify(wanted.slice(0, 40))}: ${meant ? `did you mean ${meant}?` : names.join(', ')}`
}

function helpText(): string {
  return [
    'bootswarm image KIND [options]',
    '',
    ...kinds.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`),
    '',
    'image KIND --help lists the options of one.',
    '',
  ].join('\n')
}
