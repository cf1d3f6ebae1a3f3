/** `bootswarm node reboot` and `wake` by controllers: ipmitool with OpenIPMI's simulator, and Redfish over HTTPS. */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { bmcPassword, bmcUser, startIpmi, startRedfish } from '../../support/bmc.js'
import { askApi } from '../../support/operator-api.js'
import { until } from '../../support/processes.js'
import { type Daemon, Site } from './support.js'

const boot = '00112233445566aa'
const begun = { boot, seq: 0, t_ms: 0, type: 'boot.started', data: { agent: '1.0', mem_total_bytes: 1e9 } }

interface Place {
  readonly site: Site
  readonly server: Daemon
  /** Does it to a node, to its end: `done`, or why not. */
  act(kind: 'wake' | 'reboot', node?: string): Promise<string>
}

/** A server that has heard of rig1 and rig2. `powerOf`: what `power` of all nodes is, with a file that has the password. */
async function place(t: TestContext, powerOf: (site: Site, passwordFile: string) => string): Promise<Place> {
  const site = new Site()
  t.after(() => site.end())
  const passwordFile = join(site.dir, 'bmc.password')
  writeFileSync(passwordFile, `${bmcPassword}\nnot this\n`)
  site.configure(`profiles: {default: {power: {${powerOf(site, passwordFile)}}}}`)
  const server = site.start()
  await server.line('server.ready')
  for (const id of ['rig1', 'rig2'])
    assert.ok((await server.post(`/v1/nodes/${id}/events`, JSON.stringify([begun]))).status < 300)
  const client = { dataDir: server.dataDir }
  const act = async (kind: 'wake' | 'reboot', node = 'rig1') => {
    const { status, body } = await askApi(client, 'POST', '/api/v1/actions', { kind, nodes: [node] })
    assert.equal(status, 200, JSON.stringify(body))
    const [step] = await until('its end', async () => {
      const { body: now } = await askApi(client, 'GET', `/api/v1/actions/${body.id}`)
      return now.state === 'running' ? undefined : now.nodes
    })
    return step.state === 'done' ? `${step.method}: done` : `${step.method}: ${step.why}`
  }
  return { site, server, act }
}

test('IPMI resets what is on, switches on what is off, and says what a controller does not take', async (t) => {
  const site = new Site()
  t.after(() => site.end())
  const on = await startIpmi(t, site.dir, true)
  const off = await startIpmi(t, site.dir, false)
  const power = (host: string, file: string, user = bmcUser) =>
    `ipmi: {host: "${host}", user: ${user}, password_file: ${file}}`
  const { server, act, site: own } = await place(t, (_, file) => power(on.host, file))
  const address = on.host.split(':')[0]
  assert.equal(await act('reboot'), `IPMI at ${address}: done`)
  assert.deepEqual(on.done(), ['reset 1'])
  const reload = async (yaml: string) => {
    const from = server.lines.length
    own.configure(yaml)
    server.signal('SIGHUP')
    await server.line('server.reloaded', from)
  }
  const file = join(own.dir, 'bmc.password')
  await reload(`nodes: [{match: "rig[1-2]", power: {${power(off.host, file)}}}]`)
  assert.match(await act('reboot'), /: done$/)
  assert.deepEqual([off.done(), off.isOn()], [['power 1'], true])
  assert.match(await act('wake', 'rig2'), /: done$/)
  await reload(`nodes: [{match: rig1, power: {${power(off.host, file, 'other')}}}]`)
  assert.match(await act('reboot'), /^IPMI at \S+: exit code 1: Error: Unable to establish IPMI v2/)
  chmodSync(file, 0o644)
  await reload(`nodes: [{match: rig1, power: {${power(off.host, '/no/such/file')}}}]`)
  assert.match(
    await act('reboot'),
    /: \/no\/such\/file: ENOENT; the user of the server has to be able to read it$/,
  )
  // Nobody reads the password in the list of processes, the log or the timeline.
  const events = await askApi({ dataDir: server.dataDir }, 'GET', '/api/v1/events')
  assert.ok(!JSON.stringify(events.body).includes(bmcPassword) && !server.stdout.includes(bmcPassword))
})

test('Redfish restarts what is on, switches on what is off; who answers is checked first', async (t) => {
  const controller = await startRedfish(t)
  const account = (file: string) => `user: ${bmcUser}, password_file: ${file}`
  const { site, server, act } = await place(t, (own, file) => {
    writeFileSync(join(own.dir, 'ca.pem'), controller.caPem)
    return `redfish: {url: "${controller.url}", ${account(file)}, ca: ${join(own.dir, 'ca.pem')}}`
  })
  const system = '/redfish/v1/Systems/437XR1138R2'
  const reset = `POST ${system}/Actions/ComputerSystem.Reset`
  assert.match(await act('reboot'), /^Redfish at 127\.0\.0\.1:\d+: done$/)
  assert.deepEqual(controller.asked.splice(0), [
    'GET /redfish/v1/Systems',
    `GET ${system}`,
    `${reset} {"ResetType":"ForceRestart"}`,
  ])
  assert.match(await act('wake'), /: done$/)
  assert.ok(!controller.asked.splice(0).some((line) => line.startsWith('POST')), 'it is on')
  controller.power = 'Off'
  assert.match(await act('wake'), /: done$/)
  assert.equal(controller.asked.splice(0).at(-1), `${reset} {"ResetType":"On"}`)

  const file = join(site.dir, 'bmc.password')
  const configure = async (url: string, more: string, passwordFile = file) => {
    const from = server.lines.length
    site.configure(
      `nodes: [{match: rig1, power: {redfish: {url: "${url}", ${account(passwordFile)}${more}}}}]`,
    )
    server.signal('SIGHUP')
    await server.line('server.reloaded', from)
  }
  await configure(`${controller.url}${system}`, `, fingerprint: "${controller.fingerprint}"`)
  assert.match(await act('reboot'), /: done$/)
  assert.equal(controller.asked.splice(0)[0], `GET ${system}`)
  await configure(controller.url, '')
  assert.match(await act('reboot'), /certificate|self-signed/)
  await configure(controller.url, `, fingerprint: "${'ab'.repeat(32)}"`)
  assert.match(await act('reboot'), /its certificate is another one: its SHA-256 is [0-9a-f]{64}$/)
  assert.deepEqual(controller.asked, [], 'nobody who is not known gets a request')
  writeFileSync(join(site.dir, 'wrong'), 'wrong')
  const right = `, fingerprint: "${controller.fingerprint}"`
  await configure(controller.url, right, join(site.dir, 'wrong'))
  assert.match(await act('reboot'), /answers GET \/redfish\/v1\/Systems with 401: user or password is wrong$/)
})

test('what a Redfish service makes up is refused, and bounded', async (t) => {
  const controller = await startRedfish(t)
  const { act } = await place(
    t,
    (_, file) =>
      `redfish: {url: "${controller.url}", user: ${bmcUser}, password_file: ${file}, fingerprint: "${controller.fingerprint}"}`,
  )
  const says = (status: number, body: string | Buffer, headers = {}) => {
    controller.answer = (_, response) => {
      response.writeHead(status, headers).end(body)
      return true
    }
  }
  says(200, 'no JSON')
  assert.match(await act('reboot'), /has no systems below/)
  says(200, JSON.stringify({ Members: [{ '@odata.id': 'https://evil.example/redfish/v1' }] }))
  assert.match(await act('reboot'), /names a path that is none of its own/)
  says(302, '', { location: 'https://evil.example/' })
  assert.match(await act('reboot'), /answers GET \/redfish\/v1\/Systems with 302$/)
  says(200, Buffer.alloc(2_000_000, 32))
  assert.match(await act('reboot'), /answers with more than 1048576 bytes/)
  says(503, JSON.stringify({ error: { message: 'too \u001b[31m busy' } }))
  assert.match(await act('reboot'), /with 503: too .*busy$/)
  controller.answer = (_, response) => {
    response.destroy()
    return true
  }
  assert.match(await act('reboot'), /socket hang up|ECONNRESET/)
  controller.answer = undefined
  assert.match(await act('reboot'), /: done$/)
})
