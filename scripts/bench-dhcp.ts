/** `npm run bench:dhcp [-- --seconds 10 --rounds 3 --json FILE]`: the DHCP server beside Kea. See docs/bench.md. */
import { parseArgs } from 'node:util'
import { type DhcpRow, runDhcpBench } from '../bench/dhcp/rounds.js'
import { bootswarm, kea } from '../bench/dhcp/servers.js'
import { ensureTools } from '../host/tools.js'
import { type Columns, countOf, reportRows } from './bench-report.js'
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

const columns: Columns<DhcpRow> = {
  server: ({ server }) => server,
  'most a second': ({ mostPerSecond }) => mostPerSecond.toFixed(0),
  'CPU ms each': ({ answeringMs }) => answeringMs.toFixed(3),
  'of all processes': ({ allMs }) => allMs.toFixed(3),
  'OFFER ms': ({ offerMs }) => offerMs.toFixed(1),
  'ACK ms': ({ ackMs }) => ackMs.toFixed(1),
  done: ({ doneShare }) => `${(doneShare * 100).toFixed(1)} %`,
  failed: ({ failed }) => failed ?? '',
}

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
      rate: countOf('rate', values.rate),
      rounds: countOf('rounds', values.rounds),
      seconds: countOf('seconds', values.seconds),
      directory: values.directory,
      log: (line) => process.stderr.write(`${line}\n`),
    },
    undo,
  )
  reportRows(rows, columns, values.json)
})
