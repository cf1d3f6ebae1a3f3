/** `npm run build`: everything (the TypeScript is compiled already when this runs). `--quiet` says nothing of success. */
import { BootswarmError } from '../src/errors.js'
import { buildAgent, buildSimulator } from './build-agent.js'

try {
  const path = buildAgent()
  buildSimulator()
  if (!process.argv.includes('--quiet')) process.stderr.write(`bootswarm: built ${path}\n`)
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
  process.exitCode = 1
}
