/**
 * The attacks of `npm run bench:siege` in short, those on one port together, while real nodes boot. Judged is what always
 * holds: all boot, nothing of the server ends, everything comes back, a node that comes later boots. Never times.
 */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { type Attack, attacks } from '../../bench/siege/attacks.js'
import { isIdle } from '../../bench/siege/run.js'
import { parseOptions } from '../../bench/siege/siege-options.js'
import { buildSiegeSite, type SiegeSite } from '../../bench/siege/siege-site.js'
import { stormUnder } from '../../bench/siege/siege-storm.js'
import { Undo } from '../../bench/storm/undo.js'
import { agentPath } from '../../host/agent-binary.js'
import { hangMs } from '../support/limits.js'

const skip = process.getuid?.() === 0 ? false : 'A SIEGE NEEDS ROOT: it makes network namespaces'
const hangS = String(hangMs / 1000)
const options = parseOptions([
  ...['--nodes', '3', '--rack-size', '2', '--payload-mb', '4', '--stage1-mb', '0.5', '--lead-s', '1'],
  ...['--settle-s', hangS, '--timeout-s', hangS, '--directory', tmpdir()],
])

/** Each attack is in one group, by what it is aimed at. */
const groups: Readonly<Record<string, (attack: Attack) => boolean>> = {
  'HTTP and the tracker': ({ name }) => isIn(name, 'http-', 'torrents', 'announces', 'scrapes', 'reports'),
  TLS: ({ name }) => isIn(name, 'tls-'),
  'HTTPS with a full disk': ({ name }) => isIn(name, 'status', 'manifests', 'events'),
  'the seeder, DHT and LSD': ({ name }) => isIn(name, 'seeder-', 'dht-', 'lsd-', 'churn'),
  agents: ({ name }) => isIn(name, 'agent-'),
  'agents by peers that send nothing': ({ name }) => name === 'silent-claims',
  'agents by slow peers': ({ name }) => name === 'slow-claims',
  'agents by peers that name others': ({ name }) => name === 'pex-claims',
  'network boot': ({ name }) => isIn(name, 'boot-queue', 'scripts', 'tftp-', 'dhcp-', 'pxe-'),
}
const isIn = (name: string, ...beginnings: string[]) => beginnings.some((each) => name.startsWith(each))

const undo = new Undo()
let site: SiegeSite | undefined

before(async () => {
  if (skip === false) site = await buildSiegeSite(options, undo, () => {})
})
after(() => undo.all())

test('each attack is in one group', () => {
  for (const attack of attacks) {
    const found = Object.values(groups).filter((isMember) => isMember(attack))
    assert.equal(found.length, 1, attack.name)
  }
})

for (const [name, isMember] of Object.entries(groups)) {
  test(`a farm boots under attacks on ${name}`, { skip, timeout: 3 * hangMs }, async (t) => {
    assert.ok(site !== undefined)
    // Without storms to compare with, memory is not judged.
    const storm = { site, options, agent: agentPath(), calm: [] }
    const run = await stormUnder(storm, attacks.filter(isMember), undo)
    t.diagnostic(JSON.stringify(run.did))
    assert.deepEqual(run.failures, [])
    const ended = run.processes.filter((each) => each.after === null).map((each) => each.name)
    assert.deepEqual(ended, [], 'processes that ended')
    assert.deepEqual(run.kept, [], 'what was not given back')
    assert.notEqual(run.originS, null, 'the origin sends the artifact afterwards')
    assert.notEqual(run.lateNodeS, null, 'a node boots afterwards')
    const idle = Object.keys(run.did).filter((attack) => isIdle(run.did[attack] ?? {}))
    assert.deepEqual(idle, [], 'attackers that did nothing')
  })
}
