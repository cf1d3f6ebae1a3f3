/** `npm run bench:start`: what one node's start costs the server's link. See docs/bench.md. */
import { measureStart } from '../bench/start/link-cost.js'
import { ensureTools } from '../host/tools.js'
import { buildAgent } from './build-agent.js'
import { undone } from './undone.js'

const usage = `usage: npm run bench:start -- [--json]
What the start of one node costs the server's link, by service and direction. Needs root on Linux.
`

await undone(async (undo) => {
  const argv = process.argv.slice(2)
  if (argv.includes('--help')) process.stdout.write(usage)
  else {
    ensureTools([
      { name: 'ip', debianPackage: 'iproute2' },
      { name: 'nsenter', debianPackage: 'util-linux' },
      { name: 'curl', debianPackage: 'curl' },
      { name: 'python3', debianPackage: 'python3' },
    ])
    const cost = await measureStart(buildAgent(), undo)
    if (argv.includes('--json')) process.stdout.write(`${JSON.stringify(cost, null, 2)}\n`)
    else {
      for (const { service, direction, bytes, packets, payload_bytes, connections } of cost.counts) {
        const facts = `${packets} packets, ${bytes} bytes on the wire, ${payload_bytes} of payload`
        process.stdout.write(`${service} ${direction}: ${facts}, ${connections} connections\n`)
      }
      process.stdout.write(`the server sends ${cost.outBytes} bytes and is sent ${cost.inBytes}\n`)
    }
  }
})
