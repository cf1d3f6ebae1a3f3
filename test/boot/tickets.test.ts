/** Real agents with the tickets of real boot scripts: the node that was given one, and who has read its command line. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { agentPath } from '../../host/agent-binary.js'
import { startMachine } from '../support/boot-script.js'
import { farm } from '../support/farm.js'
import { hangMs } from '../support/limits.js'
import { askApi } from '../support/operator-api.js'
import { until, untilEqual } from '../support/processes.js'

const mac = '52:54:00:00:00:01'
const [home, elsewhere] = ['127.0.1.1', '127.0.1.66']

/** A farm with kernel and stage 1, and what its operators are told of the node. */
async function site(t: TestContext, yaml = '') {
  const place = await farm(t, 2_000_000, yaml)
  const { directory, server } = place
  for (const name of ['vmlinuz', 'stage1']) writeFileSync(join(directory, 'artifacts/boot', name), name)
  await until('kernel and stage 1', async () => {
    const { artifacts } = (await server.status()) as { artifacts: { kind: string }[] }
    return artifacts.filter(({ kind }) => kind === 'boot').length === 2 ? true : undefined
  })
  const api = async (path: string) => {
    const answer = await askApi({ dataDir: server.dataDir }, 'GET', `/api/v1${path}`)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body
  }
  const said = async (types: string): Promise<string[]> => {
    const { events } = await api(`/nodes/${mac}/events?type=${types}`)
    return events.map(
      ({ type, data }: { type: string; data: object }) => `${type} ${Object.values(data).join(' ')}`,
    )
  }
  /** Starts the machine as far as stage 1; gives the agent's flags. */
  const startNode = async () => {
    const ticket = await startMachine(server.ports.http, mac, home)
    const cmdline = join(directory, 'cmdline')
    writeFileSync(cmdline, `quiet bootswarm.ticket=${ticket}\n`)
    return { ticket, flags: ['--cmdline', cmdline, '--key', join(directory, 'node.key')] }
  }
  return { ...place, api, said, startNode }
}

test('a node redeems its ticket and signs its reports; who has its command line is refused, and told of', async (t) => {
  const { directory, server, boot, api, said, startNode } = await site(t)
  const { ticket, flags } = await startNode()
  const node = boot(mac, home, flags)
  await node.event('boot.completed')
  const state = async () => (await api(`/nodes/${mac}`)).state
  await untilEqual('its report', state, 'booted')
  const { boot: booted } = await api(`/nodes/${mac}`)
  assert.deepEqual(await said('ticket.redeemed'), [`ticket.redeemed ${home}`])

  const cmdline = join(directory, 'stolen')
  writeFileSync(cmdline, `bootswarm.ticket=${ticket}\n`)
  const target = join(directory, 'nodes/thief')
  // A second machine that calls itself the same: it boots what any machine gets, and says nothing that counts.
  const thief = boot(mac, elsewhere, ['--cmdline', cmdline, '--target', target])
  await thief.event('boot.completed')
  await untilEqual(
    'the alarms',
    async () => [...new Set(await said('ticket.refused,report.refused,manifest.unproven'))].sort(),
    [
      `manifest.unproven ${elsewhere}`,
      `report.refused unsigned ${elsewhere}`,
      `ticket.refused used ${elsewhere} ${home}`,
    ],
  )
  const { boot: now, address, state: stands } = await api(`/nodes/${mac}`)
  assert.deepEqual([now, address, stands], [booted, home, 'booted'])
  const { alarms } = await api(`/nodes/${mac}/why`)
  const used = `Its ticket was redeemed from ${home}, and presented again from ${elsewhere}: one of the two is not this node`
  assert.ok(
    alarms.some(({ text }: { text: string }) => text === used),
    JSON.stringify(alarms),
  )
  for (const lines of [server.lines, node.lines, thief.lines])
    assert.ok(!lines.some((line) => line.includes(ticket)))
})

test('required: an agent without a ticket says why it does not boot, one with a ticket boots', async (t) => {
  const { boot, api, startNode } = await site(t, 'tickets: required')
  const without = boot('rig-7', elsewhere, ['--once'])
  const { data } = await without.event('boot.failed')
  assert.match(String(data.message), /status 403 TICKET_REQUIRED$/)
  assert.equal(await without.exited, 1)
  const { cause } = await api('/nodes/rig-7/why')
  assert.equal(cause, 'AGENT_FAILED')
  const { flags } = await startNode()
  await boot(mac, home, flags).event('boot.completed')
})

test('an agent that is started again in the same boot is the same node, and so is what reports for it', async (t) => {
  const { directory, server, boot, api, said, startNode } = await site(t)
  const { flags } = await startNode()
  const killed = boot(mac, home, flags)
  await killed.event('manifest.verified')
  killed.child.kill('SIGKILL')
  await killed.exited
  const trust = [
    '--trust',
    join(server.dataDir, 'trust'),
    '--server',
    server.url,
    '--bind',
    home,
    '--node',
    mac,
  ]
  const report = ['report', '--code', 'AGENT_KILLED', '--message', 'no memory', ...trust, ...flags]
  const { status, stderr } = spawnSync(agentPath(), report, { encoding: 'utf8', timeout: hangMs })
  assert.equal(status, 0, stderr)
  assert.equal((await api(`/nodes/${mac}`)).failure.code, 'AGENT_KILLED')
  const again = boot(mac, home, flags)
  await again.event('boot.completed')
  await untilEqual('its report', async () => (await api(`/nodes/${mac}`)).state, 'booted')
  assert.deepEqual(await said('ticket.refused,report.refused,manifest.unproven'), [])
  assert.equal(readFileSync(join(directory, 'node.key'), 'utf8').length, 64)
  // Without the key of this boot it is nobody.
  const nobody = spawnSync(agentPath(), report.slice(0, -2), { encoding: 'utf8', timeout: hangMs })
  assert.equal(nobody.status, 1, nobody.stderr)
})
