/** Real clients that load a boot file without a turn in the boot queue, beside a node that has one. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../catalog/support.js'
import { ask, HttpBench, openFiles, rest } from './support.js'

/** Of the file, loaded in turns. */
const partBytes = 200_000
const sliceBytes = 16 * 1024
const [nodeAddress, greedyAddress, honestAddress] = ['127.0.0.2', '127.0.0.3', '127.0.0.4']

async function bench(t: TestContext) {
  // More than two systems hold between them for a connection.
  const site = new HttpBench(randomBytes(16 << 20))
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await site.end()
  })
  const { port } = await site.listen(false, { isBootingByTurn: true })
  const get = (localAddress: string, path: string, headers = '') => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`)
    return socket
  }
  const boot = (localAddress: string) => get(localAddress, '/boot/vmlinuz')
  /** A node that has its turn and reads nothing. */
  const node = async () => {
    const socket = get(nodeAddress, `/v1/ipxe/file/52-54-00-00-00-01/${site.sha256}/vmlinuz`)
    await new Promise((resolve) => socket.once('readable', resolve))
    return socket
  }
  /** A node that has what the clients leave of a link on which they get a part each now and then. Call the result when it is done. */
  const nodeOnSlowLink = () => {
    const received = () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
    const sinceMs = performance.now()
    const movedBytes = () => (performance.now() - sinceMs) * 100 - received()
    return site.limits.sendTurns.goesFirst(nodeAddress, { movedBytes, isCrawling: () => false })
  }
  const bodyOf = async (socket: Socket) => {
    const answer = await rest(socket)
    return answer.subarray(answer.indexOf('\r\n\r\n') + 4)
  }
  return { site, port, get, boot, node, nodeOnSlowLink, bodyOf, turns: site.limits.sendTurns }
}

test('clients wait while a node of another address has its turn, and all get the whole file', async (t) => {
  const { site, port, boot, node, bodyOf, turns } = await bench(t)
  const first = await node()
  const greedy = Array.from({ length: 3 }, () => bodyOf(boot(greedyAddress)))
  await until('some wait', () => turns.waiting > 0)
  const headers = { range: `bytes=0-${partBytes - 1}` }
  const part = await ask(port, '/boot/vmlinuz', { localAddress: honestAddress, headers })
  assert.ok(part.body.equals(site.bytes.subarray(0, partBytes)))
  first.destroy()
  for (const each of await Promise.all(greedy)) assert.ok(each.equals(site.bytes))
  assert.equal(turns.waiting, 0)
})

test('artifacts wait as well', async (t) => {
  const { site, get, node, bodyOf, turns } = await bench(t)
  const first = await node()
  const path = `/v1/artifacts/${site.sha256}/vmlinuz`
  const greedy = Array.from({ length: 3 }, () => bodyOf(get(greedyAddress, path)))
  await until('some wait', () => turns.waiting > 0)
  first.destroy()
  for (const each of await Promise.all(greedy)) assert.ok(each.equals(site.bytes))
  assert.equal(turns.waiting, 0)
})

test('an address with six times as many connections gets as much as another', async (t) => {
  const { site, get, boot, nodeOnSlowLink, bodyOf, turns } = await bench(t)
  const over = nodeOnSlowLink()
  const greedy = Array.from({ length: 48 }, () => boot(greedyAddress).resume())
  await until('most wait', () => turns.waiting > 24)
  const headers = `Range: bytes=0-${sliceBytes - 1}\r\n`
  const honest = Array.from({ length: 8 }, () => get(honestAddress, '/boot/vmlinuz', headers))
  const greedyBytes = () => greedy.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
  const beforeBytes = greedyBytes()
  for (const body of await Promise.all(honest.map(bodyOf)))
    assert.ok(body.equals(site.bytes.subarray(0, sliceBytes)))
  const took = greedyBytes() - beforeBytes
  t.diagnostic(`${took} bytes beside ${honest.length * sliceBytes}`)
  assert.ok(took < 2.5 * honest.length * sliceBytes, `${took}`)
  over()
})

test('clients that do not read keep nobody from the boot files', async (t) => {
  const { site, port, boot, node } = await bench(t)
  await node()
  for (let n = 0; n < 10; n += 1) boot(greedyAddress)
  await until('all are being sent', () => openFiles(site) === 11)
  const headers = { range: `bytes=0-${partBytes - 1}` }
  const answer = await ask(port, '/boot/vmlinuz', { localAddress: honestAddress, headers })
  assert.ok(answer.body.equals(site.bytes.subarray(0, partBytes)))
})

test('a client that hangs up while it waits leaves nothing open', async (t) => {
  const { site, boot, nodeOnSlowLink, turns } = await bench(t)
  const over = nodeOnSlowLink()
  const greedy = Array.from({ length: 16 }, () => boot(greedyAddress).resume())
  await until('most wait', () => turns.waiting > 8)
  for (const socket of greedy) socket.destroy()
  await until('no file is open', () => openFiles(site) === 0)
  assert.equal(turns.waiting, 0)
  over()
})
