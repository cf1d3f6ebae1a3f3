/** `npm run bench:siege`: a farm boots while it is attacked. See docs/bench.md. */
import { writeFileSync } from 'node:fs'
import { attacks } from '../bench/siege/attacks.js'
import { table } from '../bench/siege/result.js'
import { runSiege } from '../bench/siege/siege.js'
import { parseOptions, usage } from '../bench/siege/siege-options.js'
import { ensureTools } from '../host/tools.js'
import { buildAgent } from './build-agent.js'
import { undone } from './undone.js'

await undone(async (undo) => {
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
})
