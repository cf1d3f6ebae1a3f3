import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { ConnectionTable } from '../../../server/swarm/connections.js'
import { Incoming } from '../../../server/swarm/incoming.js'
import { hangMs } from '../../support/limits.js'

const options = { timeout: hangMs }
const handshake = Buffer.alloc(68, 1)

interface Listening {
  incoming: Incoming
  taken: Socket[]
  /** How many connections were handed over in each turn of the event loop. */
  perTurn(): number[]
  dial(localAddress: string): Promise<Socket>
}

async function listen(t: TestContext): Promise<Listening> {
  const server = createServer()
  t.after(() => server.close())
  const taken: Socket[] = []
  const perTurn: number[] = []
  let isSameTurn = false
  const incoming = new Incoming(server, new ConnectionTable(1_000), {
    handOver(conn) {
      taken.push(conn)
      if (!isSameTurn) {
        perTurn.push(0)
        setImmediate(() => {
          isSameTurn = false
        })
      }
      isSameTurn = true
      perTurn.push((perTurn.pop() ?? 0) + 1)
    },
    crowded() {},
    short() {},
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const dial = async (localAddress: string) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    await new Promise<void>((resolve) => socket.on('connect', () => resolve()))
    return socket
  }
  return { incoming, taken, dial, perTurn: () => perTurn }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

test(
  'a connection is handed over when as much as a handshake has come, with all that came',
  options,
  async (t) => {
    const { taken, dial } = await listen(t)
    const [slow, ended, silent] = await Promise.all([dial('127.0.0.1'), dial('127.0.0.1'), dial('127.0.0.1')])
    ended.end(handshake.subarray(1))
    await new Promise<void>((resolve) => ended.on('close', () => resolve()))
    for (let at = 0; at < 68; at += 17) {
      assert.equal(taken.length, 0)
      await new Promise<void>((resolve) => slow.write(handshake.subarray(at, at + 17), () => resolve()))
    }
    slow.write('more')
    await until(() => taken.length === 1)
    const [conn] = taken
    assert.ok(conn)
    const received: Buffer[] = []
    conn.on('data', (data) => received.push(data))
    await until(() => Buffer.concat(received).length === 72)
    assert.equal(String(Buffer.concat(received).subarray(68)), 'more')
    assert.equal(silent.destroyed, false)
  },
)

test(
  'of hundreds that shake hands at once few are handed over in a turn of the event loop',
  options,
  async (t) => {
    const { taken, dial, perTurn } = await listen(t)
    const many = await Promise.all(Array.from({ length: 200 }, () => dial('127.0.0.1')))
    for (const socket of many) socket.write(handshake)
    await until(() => taken.length === 200)
    assert.ok(Math.max(...perTurn()) <= 8, `${perTurn()}`)
  },
)

test('who has not shaken hands in time is closed', options, async (t) => {
  const { incoming, taken, dial } = await listen(t)
  const silent = await dial('127.0.0.1')
  const closed = new Promise<void>((resolve) => silent.on('close', () => resolve()))
  incoming.tick(performance.now() + 24_000)
  const shaken = await dial('127.0.0.1')
  shaken.write(handshake)
  await until(() => taken.length === 1)
  assert.equal(silent.destroyed, false)
  incoming.tick(performance.now() + 26_000)
  await closed
})
