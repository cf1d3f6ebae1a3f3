/** `npm run bench:siege`: a farm boots while it is attacked. See docs/bench.md. */
import { writeFileSync } from 'node:fs'
import { attacks } from '../bench/siege/attacks.js'
import { table } from '../bench/siege/result.js'
import { runSiege } from '../bench/siege/siege.js'
import { parseOptions, usage } from '../bench/siege/siege-options.js'
import { Undo } from '../bench/storm/undo.js'
import { ensureTools } from '../host/tools.js'
import { BootswarmError } from '../src/errors.js'
import { buildAgent } from './build-agent.js'

const undo = new Undo()
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupted) process.exit(1)
    interrupted = true
    process.stderr.write('bootswarm: interrupted, cleaning up\n')
    void undo.all().finally(() => process.exit(130))
  })
}

try {
  const argv = process.argv.slice(2)
  if (argv.includes('--help')) process.stdout.write(usage)
  else if (argv.includes('--list')) {
    for (const { name, about } of attacks) process.stdout.write(`${name.padEnd(20)} ${about}\n`)
  } else {
    const options = parseOptions(argv)
    ensureTools([
      { name: 'ip', debianPackage: 'iproute2' },
      { name: 'nsenter', debianPackage: 'util-linux' },
      { name: 'curl', debianPackage: 'curl' },
      { name: 'tar', debianPackage: 'tar' },
    ])
    const say = (line: string) => process.stderr.write(`${line}\n`)
    const result = await runSiege(options, buildAgent(), undo, say)
    if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`)
    process.stdout.write(`${table(result)}\n`)
    process.exitCode = result.missed > 0 ? 1 : 0
  }
} catch (error) {
  if (interrupted) await new Promise(() => {})
  if (!(error instanceof BootswarmError)) throw error
  process.stderr.write(`bootswarm: ${error.code}: ${error.message}\n`)
  process.exitCode = 1
} finally {
  if (!interrupted) await undo.all()
}
