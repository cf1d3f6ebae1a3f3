import assert from 'node:assert/strict'
import { test } from 'node:test'
import { untilEqual } from '../../support/processes.js'
import { NetbootSite } from './support.js'

const big = '{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/16, range: 10.77.1.0-10.77.4.255}]}'
const nodes = 500
const spreadMs = 10_000

test('500 machines in 10 s: each gets its address and then its boot program, none is lost', async (t) => {
  const place = NetbootSite.make(t, big, '', '10.77.0.1/16')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  place.wire.client('fleet', '52:54:00:00:00:fe')
  place.wire.run('fleet', 'ip', 'address', 'add', '10.77.0.200/16', 'dev', 'eth0')
  // These machines have one neighbour table and do not ask for the server one by one, so it hears of none before its
  // next question, which is due a second after the one whether the address is free.
  place.wire.server('sh', '-c', 'echo 50 > /proc/sys/net/ipv4/neigh/lan0/retrans_time_ms')
  const server = await place.start()
  const result = await place.storm('fleet', nodes, spreadMs, '/usr/lib/ipxe/snponly.efi')
  t.diagnostic(JSON.stringify(result))
  assert.deepEqual([result.done, result.addresses], [nodes, nodes])
  // Each came to its end, and nothing was refused or misread on the way.
  await untilEqual(
    'the counters',
    () => {
      const { dhcp = {}, tftp = {} } = place.status(server).netboot.services
      const { completed, transfers, malformed } = tftp
      return { completed, transfers, malformed: [malformed, dhcp.malformed] }
    },
    { completed: nodes, transfers: 0, malformed: [0, 0] },
  )
  assert.ok(!server.lines.some(({ event }) => event === 'netboot.exited'))
})
