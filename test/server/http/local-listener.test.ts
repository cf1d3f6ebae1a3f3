import assert from 'node:assert/strict'
import { lstatSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { withSocketPath } from '../../../host/unix-socket.js'
import { makeClientLimits } from '../../../server/http/client-limits.js'
import { listenLocally } from '../../../server/http/local-listener.js'
import { until } from '../../support/processes.js'
import { scratch } from '../../support/scratch.js'

async function listen(t: TestContext, path: string) {
  const listener = await listenLocally({
    path,
    limits: makeClientLimits({ connectionsMax: 64, answerBytesMax: 1 << 20 }),
    log: { debug: () => {}, error: () => {} },
    routes: (app) => {
      app.get('/', () => ({ hello: true }))
    },
  })
  t.after(() => listener.close())
  return listener
}

function ask(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = withSocketPath(path, (socketPath) => request({ socketPath, path: '/', agent: false }))
    outgoing.on('error', reject).on('response', async (response) => {
      let body = ''
      for await (const part of response) body += part
      resolve(body)
    })
    outgoing.end()
  })
}

test('it answers, nobody else may open it, and it goes with the server', async (t) => {
  const path = join(scratch(t), 'a.sock')
  const before = process.umask(0)
  const listener = await listen(t, path).finally(() => process.umask(before))
  assert.equal(lstatSync(path).mode & 0o777, 0o600)
  assert.equal(process.umask(), before)
  assert.equal(await ask(path), '{"hello":true}')
  await listener.close()
  assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined)
})

test('a path that is longer than the kernel takes works too', async (t) => {
  const directory = join(scratch(t), 'x'.repeat(120))
  mkdirSync(directory)
  const path = join(directory, 'a.sock')
  const listener = await listen(t, path)
  assert.equal(await ask(path), '{"hello":true}')
  await listener.close()
  assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined)
})

test('what a killed server left is replaced, anything else is left alone', async (t) => {
  const directory = scratch(t)
  const path = join(directory, 'a.sock')
  // A socket without a listener: closing removes the path, so the name is made for another one.
  const dead = createServer()
  await new Promise<void>((resolve) => dead.listen(join(directory, 'dead'), resolve))
  symlinkSync('dead', join(directory, 'link'))
  t.after(() => dead.close())
  renameSync(join(directory, 'dead'), path)
  dead.close()
  assert.ok(lstatSync(path).isSocket())
  await listen(t, path)
  assert.equal(await ask(path), '{"hello":true}')

  writeFileSync(join(directory, 'file'), 'precious')
  for (const name of ['file', 'link', '.']) {
    await assert.rejects(listen(t, join(directory, name)), { code: 'DATA_DIR_UNUSABLE' }, name)
  }
  assert.equal(lstatSync(join(directory, 'file')).size, 8)
  await assert.rejects(listen(t, join(directory, 'missing', 'a.sock')), { code: 'DATA_DIR_UNUSABLE' })
})

test('clients beyond the bound are closed', async (t) => {
  const path = join(scratch(t), 'a.sock')
  await listen(t, path)
  const sockets = Array.from({ length: 40 }, () => connect(path).on('error', () => {}))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  const closed = new Set<unknown>()
  for (const socket of sockets) socket.on('close', () => closed.add(socket))
  await until('eight to be closed', async () => (closed.size === 8 ? true : undefined))
  sockets[0]?.destroy()
  const answer = await until('room', async () => {
    try {
      return await ask(path)
    } catch {
      return undefined
    }
  })
  assert.equal(answer, '{"hello":true}')
})
