/** TLS records that carry no data, from a real client in front of a real listener. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent } from 'node:https'
import { type TestContext, test } from 'node:test'
import { hangMs } from '../../support/limits.js'
import { ask, HttpBench } from './support.js'

async function secured(t: TestContext) {
  const site = new HttpBench(Buffer.from('content'))
  t.after(() => site.end())
  const { port } = await site.listen(true)
  return { port, ca: site.identity?.caCertificate }
}

test('key updates without end cost their sender the connection', { timeout: hangMs }, async (t) => {
  const { port } = await secured(t)
  const client = spawn('openssl', ['s_client', '-tls1_3', '-connect', `127.0.0.1:${port}`])
  t.after(() => client.kill('SIGKILL'))
  client.stdin.on('error', () => {})
  let updates = 0
  client.stdout.on('data', (text: Buffer) => {
    if (updates === 0 && text.includes('---')) client.stdin.write('k\n')
  })
  client.stderr.on('data', (text: Buffer) => {
    if (!text.includes('KEYUPDATE')) return
    updates += 1
    client.stdin.write('k\n')
  })
  await once(client, 'exit')
  assert.ok(updates >= 150, `${updates} updates`)
})

test('who asks again and again over one connection keeps it', { timeout: hangMs }, async (t) => {
  const { port, ca } = await secured(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  for (let n = 0; n < 500; n += 1) {
    assert.equal((await ask(port, '/healthz', { ca, agent })).status, 200)
    assert.equal(
      Object.values(agent.freeSockets).flat().length + Object.values(agent.sockets).flat().length,
      1,
    )
  }
})
