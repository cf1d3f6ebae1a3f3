/**
 * Words for a kernel command line that an iPXE script carries. iPXE has no quoting: it splits a line at white space,
 * interprets some arguments itself, and replaces `${...}`. Arguments that it would not pass on unchanged are refused.
 */
import { KERNEL_ARGS_LENGTH_MAX } from './limits.js'

/** The value of the last word `NAME=`, as the kernel and the agent take it; undefined: there is none. */
export function kernelWord(text: string, name: string): string | undefined {
  const words = text.replaceAll('"', '').split(' ')
  return words.findLast((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
}

/** What is wrong with them; undefined if nothing is. */
export function kernelArgsMistake(text: string): string | undefined {
  if (text === '') return undefined
  if (text.length > KERNEL_ARGS_LENGTH_MAX) return `expected at most ${KERNEL_ARGS_LENGTH_MAX} characters`
  if (!/^[\x20-\x7e]+$/.test(text)) return 'expected printable ASCII'
  if (text.includes('${')) return 'expected no ${: iPXE would replace it'
  if (/^ | {2}| $/.test(text)) return 'expected single spaces between the words'
  const own = text.split(' ').find((word) => word.startsWith('#') || ['||', '&&', ';'].includes(word))
  return own === undefined ? undefined : `expected no word ${own}: iPXE would take it for its own`
}
