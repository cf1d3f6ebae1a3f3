/** One question for each of several nodes. */
import { BootswarmError } from '../../src/errors.js'
import { Progress } from './progress.js'

/** The answers by node, in their order. One that has been forgotten meanwhile has none. */
export async function askEach<Answer>(
  nodes: readonly { readonly id: string }[],
  ask: (id: string) => Promise<Answer>,
): Promise<Map<string, Answer>> {
  const progress = new Progress(nodes.length)
  const answers = new Map<string, Answer>()
  for (const [n, { id }] of nodes.entries()) {
    try {
      answers.set(id, await ask(id))
    } catch (error) {
      if (!(error instanceof BootswarmError && error.code === 'NODE_UNKNOWN')) throw error
    }
    progress.show(n + 1)
  }
  progress.end()
  return answers
}
