import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
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

async function socket(t: TestContext): Promise<Socket> {
  const udp = createSocket('udp4')
  t.after(() => udp.close())
  await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve))
  return udp
}

/** Asks until an answer with this transaction comes (UDP may drop, and so does the flood guard). */
async function ask(udp: Socket, port: number, packet: string, transaction: string): Promise<string> {
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
