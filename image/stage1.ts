/** `bootswarm image stage1`. */
import { BootswarmError } from '../src/errors.js'

/** Makes kernel and stage 1. */
export async function main(_args: readonly string[]): Promise<number> {
  throw new BootswarmError('USAGE_INVALID', 'image stage1 is being built')
}
