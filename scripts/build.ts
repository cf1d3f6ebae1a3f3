/** `npm run build`: everything (the TypeScript is compiled already when this runs). */
import { BootswarmError } from '../src/errors.js'
import { buildAgent } from './build-agent.js'

try {
  process.stderr.write(`bootswarm: built ${buildAgent()}\n`)
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
  process.exitCode = 1
}
