/** Bad input at full speed against the real process: it neither ends nor grows, and serves the next client. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../../support/processes.js'
import { NetbootSite } from './support.js'

const full = `{mode: full, interfaces: [lan0], pools: [{subnet: 10.77.0.0/24, range: 10.77.0.100-10.77.0.110}],
  reservations: [{mac: "52-54-00-00-00-09", address: 10.77.0.50}]}`
/** What 100,000 datagrams may leave behind, MB: 120 bytes for each would be a leak. Measured: 0 to 2. */
const growthMbMax = 12
/** A heap grows until it has what it works with, on a busy machine later. A leak grows each time. */
const roundsMax = 6
/** Datagrams of one flood. */
const each = 50_000

function site(t: TestContext): NetbootSite | undefined {
  const place = NetbootSite.make(t, full)
  place?.wire.client('evil', '52:54:00:00:00:66')
  for (const address of ['10.77.0.200/24', '10.77.0.201/24'])
    place?.wire.run('evil', 'ip', 'address', 'add', address, 'dev', 'eth0')
  return place
}

const residentMb = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/** Floods of 100,000 until one leaves next to nothing behind: there is no leak. */
async function floods(t: TestContext, place: NetbootSite, what: 'dhcp' | 'tftp'): Promise<number> {
  const port = what === 'dhcp' ? 67 : 69
  const pid = place.ownerOf(port)
  const residentsMb: number[] = []
  const grownMb = () => (residentsMb.at(-1) ?? 0) - (residentsMb.at(-2) ?? Number.NEGATIVE_INFINITY)
  while (residentsMb.length < 2 || (grownMb() >= growthMbMax && residentsMb.length < roundsMax)) {
    for (let half = 0; half < 2; half++) assert.ok((await place.flood(what, 'evil', each)) >= each)
    residentsMb.push(residentMb(pid))
  }
  const mb = residentsMb.map((resident) => resident.toFixed(1)).join(', ')
  t.diagnostic(`resident after each ${2 * each} datagrams: ${mb} MB`)
  assert.ok(grownMb() < growthMbMax, `${mb} MB`)
  assert.equal(place.ownerOf(port), pid, 'it is still the same process')
  return pid
}

test('100,000 mutated messages on each DHCP port: no restart, no leak, the next client is served', async (t) => {
  const place = site(t)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const server = await place.start()
  await floods(t, place, 'dhcp')
  // Made-up machines hold the few addresses of the pool; the reserved one is there for its owner.
  place.wire.client('r', '52:54:00:00:00:09')
  assert.equal(place.udhcpc('r').ip, '10.77.0.50')
  await until('the counters', async () => {
    const dhcp = place.status(server).netboot.services.dhcp
    if (dhcp === undefined || (dhcp.received ?? 0) < 380_000) return undefined
    t.diagnostic(`${dhcp.received} read, ${dhcp.malformed} malformed`)
    return true
  })
  assert.ok(!server.lines.some(({ event }) => event === 'netboot.exited'))
})

test('100,000 mutated TFTP packets: no restart, no leak of memory or sockets, tftp-hpa is served', async (t) => {
  const place = site(t)
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const server = await place.start()
  const openFiles = (pid: number) => readdirSync(`/proc/${pid}/fd`).length
  const before = openFiles(place.ownerOf(69))
  const pid = await floods(t, place, 'tftp')
  const got = join(place.site.dir, 'got')
  for (const [program, name] of [
    ['undionly.kpxe', 'bios/undionly.kpxe'],
    ['snponly.efi', 'x64/snponly.efi'],
  ] as const) {
    place.wire.run('evil', 'tftp', '-m', 'binary', '10.77.0.1', '-c', 'get', name, got)
    assert.ok(readFileSync(got).equals(readFileSync(`/usr/lib/ipxe/${program}`)), name)
    rmSync(got)
  }
  // Transfers that were begun by forged requests end by themselves.
  await until('the transfers to end', async () => {
    const tftp = place.status(server).netboot.services.tftp
    const { malformed = 0, refused = 0, ended = 0 } = tftp ?? {}
    const isRead = malformed > 1000 && refused > 1000 && ended > 100
    if (!isRead || tftp?.transfers !== 0 || openFiles(pid) > before) return undefined
    t.diagnostic(JSON.stringify(tftp))
    return true
  })
  assert.ok(!server.lines.some(({ event }) => event === 'netboot.exited'))
})
