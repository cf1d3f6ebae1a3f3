import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import DHT from 'bittorrent-dht'
import { createDhtNode } from '../../../server/swarm/dht.js'
import { checkKrpc } from '../../../server/swarm/krpc-check.js'
import { hangMs } from '../../support/limits.js'
import { sampleBytes } from './helpers.js'

const infohash = 'ab'.repeat(20)
const options = { timeout: hangMs }

async function run(t: TestContext): Promise<{ node: ReturnType<typeof createDhtNode>; port: number }> {
  const node = createDhtNode({ port: 0 })
  t.after(() => node.stop())
  const { port } = await node.start()
  node.setTorrents([infohash], 6881)
  return { node, port }
}

async function client(t: TestContext, port: number): Promise<DHT> {
  const dht = new DHT({ bootstrap: [`127.0.0.1:${port}`] })
  t.after(() => new Promise<void>((resolve) => dht.destroy(resolve)))
  await new Promise<void>((resolve) => dht.listen(0, resolve))
  return dht
}

async function lookup(dht: DHT, wanted: string): Promise<string[]> {
  const peers = new Set<string>()
  const onPeer = (peer: { host: string; port: number }): void => {
    peers.add(`${peer.host}:${peer.port}`)
  }
  dht.on('peer', onPeer)
  await new Promise<void>((resolve) => dht.lookup(wanted, () => resolve()))
  dht.off('peer', onPeer)
  return [...peers]
}

async function socket(t: TestContext, address = '127.0.0.1'): Promise<Socket> {
  const udp = createSocket('udp4')
  t.after(() => udp.close())
  await new Promise<void>((resolve) => udp.bind(0, address, resolve))
  return udp
}

/** Asks until an answer with this transaction comes (UDP may drop, and so does the flood guard). */
async function ask(udp: Socket, port: number, text: string, transaction: string): Promise<string> {
  const packet = Buffer.from(text, 'latin1')
  const answered = new Promise<string>((resolve) => {
    const onMessage = (bytes: Buffer): void => {
      const text = bytes.toString('latin1')
      if (!text.includes(`1:t2:${transaction}`)) return
      udp.off('message', onMessage)
      resolve(text)
    }
    udp.on('message', onMessage)
  })
  const timer = setInterval(() => udp.send(packet, port, '127.0.0.1'), 100)
  udp.send(packet, port, '127.0.0.1')
  try {
    return await answered
  } finally {
    clearInterval(timer)
  }
}

test('nodes find each other and the seeder over the site’s own DHT', options, async (t) => {
  const { port } = await run(t)
  const first = await client(t, port)
  await new Promise<void>((resolve) => first.announce(infohash, 7001, () => resolve()))
  const second = await client(t, port)
  assert.deepEqual((await lookup(second, infohash)).sort(), ['127.0.0.1:6881', '127.0.0.1:7001'])
})

test('torrents of others are not kept, no public router is asked', options, async (t) => {
  const { node, port } = await run(t)
  const udp = await socket(t)
  const id = 'i'.repeat(20)
  const pong = await ask(udp, port, `d1:ad2:id20:${id}e1:q4:ping1:t2:aa1:y1:qe`, 'aa')
  assert.match(pong, /1:y1:re$/)
  // No answer to these, and one to the ping after them.
  const foreign = Buffer.from('cd'.repeat(20), 'hex').toString('latin1')
  udp.send(
    Buffer.from(`d1:ad2:id20:${id}9:info_hash20:${foreign}e1:q9:get_peers1:t2:bb1:y1:qe`, 'latin1'),
    port,
    '127.0.0.1',
  )
  const seen: string[] = []
  udp.on('message', (bytes) => seen.push(bytes.toString('latin1')))
  await ask(udp, port, `d1:ad2:id20:${id}e1:q4:ping1:t2:cc1:y1:qe`, 'cc')
  assert.ok(!seen.some((text) => text.includes('1:t2:bb')))
  assert.equal(node.stats().running, true)
})

test('garbage, and packets that made the library throw, change nothing', options, async (t) => {
  const { node, port } = await run(t)
  const { pid } = node
  const udp = await socket(t)
  const id = 'i'.repeat(20)
  const nasty = [
    `d1:ad2:id20:${id}9:info_hash20:${'x'.repeat(20)}4:porti1e5:tokeni5ee1:q13:announce_peer1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}6:targeti1ee1:q9:find_node1:t2:aa1:y1:qe`,
    `d1:ad2:id20:${id}9:info_hashd1:ai1eee1:q9:get_peers1:t2:aa1:y1:qe`,
    `d1:ai5e1:q4:ping1:t2:aa1:y1:qe`,
    `d1:q4:ping1:t2:aa1:y1:qe`,
    `d1:rd2:id20:${id}5:nodes5:abcdee1:t2:aa1:y1:re`,
    `d1:rd2:idi3ee1:t2:aa1:y1:re`,
    `d1:ei1e1:t2:aa1:y1:ee`,
    `d1:ad2:id20:${id}1:v3:abc5:token1:xe1:q3:put1:t2:aa1:y1:qe`,
    'd1:t2:aa1:yd8:toStringi1eee',
    'l'.repeat(1_500),
    'i1e',
    'de',
    '',
  ]
  const vectors = JSON.parse(await readFile('test/vectors/krpc.json', 'utf8')) as { packet: string }[]
  const packets = [
    ...nasty.map((text) => Buffer.from(text, 'latin1')),
    ...vectors.map(({ packet }) => Buffer.from(packet, 'hex')),
    ...Array.from({ length: 400 }, (_, i) => sampleBytes(1 + ((i * 37) % 1_400), i * 2 + 1)),
  ]
  for (const packet of packets) {
    await new Promise<void>((resolve) => udp.send(packet, port, '127.0.0.1', () => resolve()))
  }
  await ask(udp, port, `d1:ad2:id20:${id}e1:q4:ping1:t2:zz1:y1:qe`, 'zz')
  assert.equal(node.pid, pid)
  assert.equal(node.stats().restarts, 0)
})

test('reads the golden vectors: takes what is canonical, drops what is to be ignored or refused', async () => {
  const vectors = JSON.parse(await readFile('test/vectors/krpc.json', 'utf8')) as {
    about: string
    packet: string
    canonical: boolean
    parsed: 'ignore' | { query?: string; infohash?: string; refuse?: number }
  }[]
  for (const { about, packet, canonical, parsed } of vectors) {
    const checked = checkKrpc(Buffer.from(packet, 'hex'))
    if (parsed === 'ignore' || parsed.refuse !== undefined) assert.equal(checked, undefined, about)
    else if (canonical) assert.ok(checked, about)
    if (checked?.kind !== 'query' || parsed === 'ignore') continue
    assert.equal(checked.query, parsed.query, about)
    assert.equal(checked.infohash, parsed.infohash, about)
  }
})

/** A query of a node whose identity is this number. */
const query = (node: number, name: string, transaction: string, args = '', before = ''): string => {
  const identity = String(node).padStart(20, '0')
  return `d1:ad${before}2:id20:${identity}${args}e1:q${name.length}:${name}1:t2:${transaction}1:y1:qe`
}

test('a thousand invented nodes do not make its answers longer', options, async (t) => {
  const { port } = await run(t)
  const udp = await socket(t)
  // One address is read 500 times a second: with these it is asked on until the last one was.
  for (let node = 0; node < 600; node++) udp.send(query(node * 7_919, 'ping', 'aa'), port, '127.0.0.1')
  await ask(udp, port, query(1, 'ping', 'bb'), 'bb')
  const target = '6:target20:'.concat('t'.repeat(20))
  const answer = await ask(udp, port, query(1, 'find_node', 'cc', target), 'cc')
  const bytes = Number(/5:nodes([0-9]+):/.exec(answer)?.[1])
  assert.ok(bytes > 0 && bytes <= 8 * 26, `${bytes} bytes of nodes`)
  assert.ok(answer.length < 300)
})

test(
  'of an address that announces hundreds of ports no more is named than of one that announces one',
  options,
  async (t) => {
    const { port } = await run(t)
    const hash = `9:info_hash20:${Buffer.from(infohash, 'hex').toString('latin1')}`
    const announce = async (address: string, ports: number[]): Promise<void> => {
      const udp = await socket(t, address)
      const got = await ask(udp, port, query(1, 'get_peers', 'aa', hash), 'aa')
      const at = got.indexOf('5:token20:') + '5:token20:'.length
      const token = got.slice(at, at + 20)
      for (const own of ports) {
        const args = `${hash}4:porti${own}e5:token20:${token}`
        await ask(udp, port, query(1, 'announce_peer', 'bb', args), 'bb')
      }
    }
    await announce('127.0.0.2', [7_002])
    await announce(
      '127.0.0.9',
      Array.from({ length: 400 }, (_, i) => 10_000 + i),
    )
    const udp = await socket(t, '127.0.0.3')
    const answer = Buffer.from(await ask(udp, port, query(1, 'get_peers', 'cc', hash), 'cc'), 'latin1')
    assert.equal(answer.toString('latin1').split('6:\u007f\0\0').length - 1, 50)
    assert.ok(answer.includes(Buffer.from([127, 0, 0, 2, 7_002 >> 8, 7_002 & 255])))
  },
)

test('without descriptors it answers on', options, async (t) => {
  const { node, port } = await run(t)
  const udp = await socket(t)
  await ask(udp, port, query(1, 'ping', 'aa'), 'aa')
  const { pid } = node
  await promisify(execFile)('prlimit', ['--pid', String(pid), '--nofile=8:8'])
  for (let i = 0; i < 20; i++) await ask(udp, port, query(i, 'ping', `b${i % 10}`), `b${i % 10}`)
  assert.equal(node.pid, pid)
  assert.equal(node.stats().restarts, 0)
})

test('a taken port is refused; a node that is killed comes back', options, async (t) => {
  const { node, port } = await run(t)
  await assert.rejects(createDhtNode({ port }).start(), { code: 'ADDRESS_IN_USE' })
  const udp = await socket(t)
  process.kill(node.pid ?? 0, 'SIGKILL')
  const second = await client(t, port)
  await ask(udp, port, `d1:ad2:id20:${'i'.repeat(20)}e1:q4:ping1:t2:dd1:y1:qe`, 'dd')
  assert.deepEqual(await lookup(second, infohash), ['127.0.0.1:6881'])
  assert.equal(node.stats().restarts, 1)
})
