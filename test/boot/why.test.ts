/** What operators are told of a whole boot: a real agent, and the timeline of the real server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { farm } from '../support/farm.js'
import { askApi } from '../support/operator-api.js'
import { until } from '../support/processes.js'

test('a boot that ends well has its phases, its events, and nothing that stopped it', async (t) => {
  const { server, boot } = await farm(t, 3_000_000)
  const get = async (path: string) => {
    const { status, body } = await askApi({ dataDir: server.dataDir }, 'GET', `/api/v1${path}`)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  await boot('rig1', '127.0.1.1').event('boot.completed')
  const why = await until('its report', async () => {
    const { status, body } = await askApi({ dataDir: server.dataDir }, 'GET', '/api/v1/nodes/rig1/why')
    return status === 200 && body.state === 'booted' ? body : undefined
  })
  assert.deepEqual([why.cause, why.page, why.mac], ['BOOTED', 'docs/troubleshooting.md#booted', null])
  const phases = why.phases as { phase: string; started_ms: number; ended_ms: number }[]
  assert.deepEqual(
    phases.map(({ phase }) => phase),
    ['manifest', 'artifacts', 'unpack', 'switch_root'],
  )
  for (const [n, { started_ms: startedMs, ended_ms: endedMs }] of phases.entries()) {
    assert.ok(startedMs <= endedMs)
    assert.equal(startedMs, phases[n - 1]?.ended_ms ?? startedMs, 'each begins where the one before ended')
  }
  const { events } = await get('/nodes/rig1/events')
  const said = events.map(({ source, type }: Record<string, string>) => `${source} ${type}`)
  for (const one of ['http manifest.sent', 'agent boot.started', 'agent boot.completed'])
    assert.ok(said.includes(one), one)
  assert.equal(new Set(events.map((event: { boot: string }) => event.boot)).size, 1)
  const { nodes } = await get('/nodes?cause=BOOTED')
  assert.deepEqual(
    nodes.map(({ id }: { id: string }) => id),
    ['rig1'],
  )
})
