/** `npm run bench:dhcp [-- --seconds 10 --rounds 3 --json FILE]`: the DHCP server beside Kea. See docs/bench.md. */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type DhcpRow, runDhcpBench } from '../bench/dhcp/rounds.js'
import { bootswarm, kea } from '../bench/dhcp/servers.js'
import { ensureTools } from '../host/tools.js'
import { undone } from './undone.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    /** Exchanges a second at which the time of each is measured, and from where it goes up. */
    rate: { type: 'string', default: '500' },
    json: { type: 'string' },
    /** Memory, not a disk: the bench measures servers. */
    directory: { type: 'string', default: '/dev/shm' },
  },
})

await undone(async (undo) => {
  ensureTools([
    { name: 'ip', debianPackage: 'iproute2' },
    { name: 'nsenter', debianPackage: 'util-linux' },
    { name: 'kea-dhcp4', debianPackage: 'kea-dhcp4-server' },
    { name: 'perfdhcp', debianPackage: 'kea-admin' },
  ])
  const rows = await runDhcpBench(
    {
      contestants: [bootswarm, kea],
      rate: Number(values.rate),
      rounds: Number(values.rounds),
      seconds: Number(values.seconds),
      directory: values.directory,
      log: (line) => process.stderr.write(`${line}\n`),
    },
    undo,
  )
  if (values.json) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`)
  process.stdout.write(`${table(rows)}\n`)
})

function table(rows: readonly DhcpRow[]): string {
  const lines = rows.map(({ server, failed, ...row }) => {
    const figures = [
      row.mostPerSecond.toFixed(0),
      row.answeringMs.toFixed(3),
      row.allMs.toFixed(3),
      row.offerMs.toFixed(1),
      row.ackMs.toFixed(1),
      `${(row.doneShare * 100).toFixed(1)} %`,
    ]
    return `| ${server} | ${figures.join(' | ')} | ${failed ?? ''} |`
  })
  const head =
    '| server | most a second | CPU ms each | of all processes | OFFER ms | ACK ms | done | failed |'
  return [head, `|${'---|'.repeat(8)}`, ...lines].join('\n')
}
