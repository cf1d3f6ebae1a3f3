/** `npm start`: builds what is missing, then becomes the server, with all arguments handed on. */
import { BootswarmError } from '../src/errors.js'
import { buildAgent } from './build-agent.js'

try {
  buildAgent()
  await import('../server/main.js' as string)
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
  process.exitCode = 1
}
