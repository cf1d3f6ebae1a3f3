import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { createTracker } from '../../../server/swarm/tracker.js'
import { parseAnnounce, parseScrape } from '../../../server/swarm/tracker-query.js'
import { AddressQueues } from '../../../src/address-queues.js'
import { type BencodeDict, type BencodeValue, decodeBencode } from '../../../src/bencode.js'
import { flatTree, makeRackTree } from '../../../src/rack-tree.js'

const infohash = Buffer.from('00ff25262b3d3f20616263646566676869fe0a0d', 'hex')

/** All bytes as `%XX`. */
const percent = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

interface Running {
  port: number
  tracker: ReturnType<typeof createTracker>
  clock: { ms: number; isCalm: boolean }
  /** How its racks hang together; may change. */
  links: { tree: typeof flatTree }
}

async function run(t: TestContext): Promise<Running> {
  const clock = { ms: 1_000_000, isCalm: false }
  const links = { tree: flatTree }
  const tracker = createTracker({
    rackOf: (address) => address.split('.').slice(0, 3).join('.'),
    rackTree: () => links.tree,
    seeder: () => ({ port: 6881 }),
    isCalm: () => clock.isCalm,
    nowMs: () => clock.ms,
    random: Math.random,
  })
  tracker.setTorrents([infohash.toString('hex')])
  const app = Fastify()
  await app.register(tracker.plugin)
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.after(() => app.close())
  return { port: (app.server.address() as AddressInfo).port, tracker, clock, links }
}

async function get(port: number, path: string, localAddress = '127.0.0.1'): Promise<BencodeDict> {
  return new Promise((resolve, reject) => {
    request({ port, path, localAddress, host: '127.0.0.1', agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        assert.equal(response.statusCode, 200)
        resolve(decodeBencode(Buffer.concat(parts)) as BencodeDict)
      })
    })
      .on('error', reject)
      .end()
  })
}

function announcePath(number: number, more = '', agent = true): string {
  const peerId = Buffer.from(`${agent ? '-BW0001-' : '-lt2080-'}${String(number).padStart(12, '0')}`)
  return `/announce?info_hash=${percent(infohash)}&peer_id=${percent(peerId)}&port=${7_000 + number}&uploaded=0&downloaded=0&left=100&compact=1${more}`
}

const bytes = (value: BencodeValue | undefined): Buffer => Buffer.from(value as Uint8Array)
const text = (value: BencodeValue | undefined): string => bytes(value).toString()

test('agents meet their own rack first, and are told how many those are', async (t) => {
  const { port } = await run(t)
  for (const [i, address] of ['127.0.0.2', '127.0.0.3', '127.0.1.2', '127.0.2.2'].entries()) {
    await get(port, announcePath(i, '&event=started'), address)
  }
  const answer = await get(port, announcePath(9), '127.0.0.9')
  assert.equal(answer.get('local peers'), 2)
  const peers = bytes(answer.get('peers'))
  assert.equal(peers.length, 24)
  assert.deepEqual([...new Set([peers[2], peers[8]])], [0])
  assert.deepEqual(new Set([peers[14], peers[20]]), new Set([1, 2]))
  assert.equal(answer.get('interval'), 2)
  assert.equal(answer.get('min interval'), 1)
  assert.equal(answer.has('incomplete'), false)
  const stock = await get(port, announcePath(10, '', false), '127.0.0.10')
  assert.equal(stock.get('incomplete'), 6)
})

test('agents of a chain of switches meet the racks next to theirs, and are told who is farther away', async (t) => {
  const { port, links } = await run(t)
  for (const [number, rack] of [0, 1, 3, 5].entries()) {
    await get(port, announcePath(number, '&event=started'), `127.0.${rack}.2`)
  }
  const meets = async (path = announcePath(9)) => {
    const answer = await get(port, path, '127.0.3.9')
    const peers = answer.get('peers')
    const racks = Array.isArray(peers)
      ? peers.map((peer) => Number(text((peer as BencodeDict).get('ip')).split('.')[2]))
      : [...bytes(peers)].filter((_, at) => at % 6 === 2)
    return { racks, far: answer.get('far peers') }
  }
  const { racks, far } = await meets()
  assert.deepEqual([racks[0], [...racks].sort(), far], [3, [0, 1, 3, 5], undefined])
  const name = (rack: number) => `127.0.${rack}`
  const rules = [0, 1, 2, 3, 4, 5].map((n) => ({ name: name(n), behind: n > 0 ? name(n - 1) : undefined }))
  links.tree = makeRackTree(rules)
  // Racks 2 and 4 have nobody.
  assert.deepEqual(await meets(), { racks: [3, 1, 5], far: 2 })
  await get(port, announcePath(7), '127.0.2.2')
  assert.deepEqual(await meets(), { racks: [3, 2, 5], far: 1 })
  const list = announcePath(9).replace('compact=1', 'compact=0')
  assert.deepEqual(await meets(list), { racks: [3, 2, 5], far: 1 })
  await get(port, announcePath(8), '127.0.4.2')
  assert.deepEqual(await meets(), { racks: [3, 2, 4], far: undefined })
})

test('stock clients get the seeder last, at the address they reached us at; agents and seeds do not', async (t) => {
  const { port } = await run(t)
  await get(port, announcePath(1))
  const stock = bytes((await get(port, announcePath(2, '', false))).get('peers'))
  assert.equal(stock.length, 12)
  assert.deepEqual([...stock.subarray(6)], [127, 0, 0, 1, 6881 >> 8, 6881 & 255])
  const agent = bytes((await get(port, announcePath(3))).get('peers'))
  assert.equal(agent.length, 12)
  const seed = bytes((await get(port, announcePath(4, '', false).replace('left=100', 'left=0'))).get('peers'))
  assert.equal(seed.length, 18)
})

test('an agent that asks for its manifest has announced itself with that', async (t) => {
  const { port, tracker } = await run(t)
  for (const number of [1, 2]) await get(port, announcePath(number), `127.0.${number}.2`)
  const peerId = Buffer.from('-BW0001-000000000009').toString('hex')
  const other = 'ee'.repeat(20)
  const node = { peerId, port: 7_009, address: '127.0.1.9' }
  const list = decodeBencode(tracker.introduce([infohash.toString('hex'), other], node)) as BencodeDict[]
  assert.equal(list.length, 2)
  assert.deepEqual(
    [...(list[0]?.keys() ?? [])],
    ['importer', 'interval', 'local peers', 'min interval', 'peers'],
  )
  assert.equal(list[0]?.get('importer'), 0, 'the first of its rack that came with a manifest')
  assert.equal(list[0]?.get('interval'), 2, 'it has met few')
  assert.equal(list[0]?.get('local peers'), 1)
  assert.deepEqual([...bytes(list[0]?.get('peers'))].slice(0, 6), [127, 0, 1, 2, 7_001 >> 8, 7_001 & 255])
  assert.match(text(list[1]?.get('failure reason')), /unknown torrent/)
  // The next one hears of it.
  const next = bytes((await get(port, announcePath(3), '127.0.1.3')).get('peers'))
  assert.ok(next.includes(Buffer.from([127, 0, 1, 9, 7_009 >> 8, 7_009 & 255])))
  assert.equal(tracker.stats().announces, 4)
  for (let number = 20; number < 40; number++) await get(port, announcePath(number), `127.0.1.${number}`)
  const later = {
    peerId: Buffer.from('-BW0001-000000000050').toString('hex'),
    port: 7_050,
    address: '127.0.1.50',
  }
  const [many] = decodeBencode(tracker.introduce([infohash.toString('hex')], later)) as BencodeDict[]
  assert.equal(many?.get('interval'), 30)
  assert.equal(many?.get('importer'), 1)
  // Those that have only announced themselves are none, and hear that others are.
  assert.equal((await get(port, announcePath(3), '127.0.1.3')).get('importer'), -1)
  assert.equal((await get(port, announcePath(1), '127.0.2.2')).get('importer'), undefined)
})

test('in calm times seeds announce rarely, and are known for as long', async (t) => {
  const { port, tracker, clock } = await run(t)
  const seeding = announcePath(1).replace('left=100', 'left=0')
  assert.equal((await get(port, seeding)).get('interval'), 30)
  clock.isCalm = true
  assert.equal((await get(port, seeding)).get('interval'), 600)
  assert.equal((await get(port, announcePath(2))).get('interval'), 2, 'who downloads has haste')
  clock.ms += 1_200_000
  assert.equal(tracker.stats().peers, 1)
  clock.ms += 20_000
  assert.equal(tracker.stats().peers, 0)
})

test('what a node announced before it began anew is forgotten, in all torrents, and nothing else', async (t) => {
  const { port, tracker } = await run(t)
  const other = Buffer.alloc(20, 7)
  tracker.setTorrents([infohash.toString('hex'), other.toString('hex')])
  await get(port, announcePath(1), '127.0.1.2')
  await get(port, announcePath(1).replace(percent(infohash), percent(other)), '127.0.1.2')
  await get(port, announcePath(3), '127.0.1.3')
  tracker.forget('127.0.1.2')
  tracker.forget('127.0.1.9')
  assert.equal(tracker.stats().peers, 1)
  assert.equal((await get(port, announcePath(4), '127.0.1.4')).get('local peers'), 1)
})

test('of many nodes behind one address none is dropped, also when one of them boots again', async (t) => {
  const { port, tracker } = await run(t)
  for (let number = 0; number < 500; number++) await get(port, announcePath(number), '127.0.1.2')
  assert.equal(tracker.stats().peers, 500)
  const { of } = AddressQueues.prototype
  let looks = 0
  t.mock.method(AddressQueues.prototype, 'of', function* (this: AddressQueues<unknown>, address: string) {
    for (const peer of of.call(this, address)) {
      looks++
      yield peer
    }
  })
  tracker.forget('127.0.1.2')
  assert.ok(looks <= 2, `${looks} peers looked at for each node that boots again`)
  assert.equal(tracker.stats().peers, 500)
  const answer = await get(port, announcePath(600), '127.0.1.3')
  assert.equal(answer.get('local peers'), 23)
})

test('invented peers do not crowd out those that asked for a manifest, and are not met more often than one node', async (t) => {
  const { port, tracker } = await run(t)
  const name = infohash.toString('hex')
  const asks = (host: number) => {
    const peerId = Buffer.from(`-BW0001-${String(host).padStart(12, '0')}`).toString('hex')
    const node = { peerId, port: 6_881, address: `127.0.9.${host}` }
    return decodeBencode(tracker.introduce([name], node)) as BencodeDict[]
  }
  for (let host = 1; host <= 60; host++) asks(host)
  // The inventor is in the same rack, and so are some that only announced themselves.
  for (let host = 101; host <= 110; host++) await get(port, announcePath(host), `127.0.9.${host}`)
  for (let number = 0; number < 1_000; number++) await get(port, announcePath(number), '127.0.9.200')
  for (let host = 61; host <= 80; host++) {
    const peers = bytes(asks(host)[0]?.get('peers'))
    assert.equal(peers.length, 23 * 6)
    const hosts = Array.from({ length: 23 }, (_, i) => peers[i * 6 + 3] ?? 0)
    assert.equal(hosts.filter((other) => other > 100).length, 5)
    assert.ok(hosts.filter((other) => other === 200).length <= 1)
  }
  tracker.setTorrents([])
})

test('BEP 3 lists, peer ids or not', async (t) => {
  const { port } = await run(t)
  await get(port, announcePath(1))
  const path = announcePath(2, '', false).replace('compact=1', 'compact=0')
  const peers = (await get(port, path)).get('peers') as BencodeDict[]
  assert.equal(peers.length, 2)
  assert.equal(text(peers[0]?.get('ip')), '127.0.0.1')
  assert.equal(text(peers[0]?.get('peer id')), '-BW0001-000000000001')
  assert.equal(peers[0]?.get('port'), 7_001)
  const without = (await get(port, `${path}&no_peer_id=1`)).get('peers') as BencodeDict[]
  assert.equal(without[0]?.get('peer id'), undefined)
})

test('stopped leaves, completed counts, silence expires', async (t) => {
  const { port, tracker, clock } = await run(t)
  await get(port, announcePath(1))
  await get(port, announcePath(2, '&event=completed').replace('left=100', 'left=0'))
  const scraped = await get(port, `/scrape?info_hash=${percent(infohash)}`)
  const files = scraped.get('files') as BencodeDict
  const counts = files.get(infohash.toString('latin1')) as BencodeDict
  assert.deepEqual(
    [...counts],
    [
      ['complete', 1],
      ['downloaded', 1],
      ['incomplete', 1],
    ],
  )
  await get(port, announcePath(1, '&event=stopped'))
  assert.equal(tracker.stats().peers, 1)
  await get(port, announcePath(3, '', false))
  clock.ms += 80_000
  assert.equal(tracker.stats().peers, 1, 'an agent announces less often')
  clock.ms += 60_000
  assert.equal(tracker.stats().peers, 0)
  tracker.setTorrents([])
  const gone = await get(port, announcePath(1))
  assert.equal(text(gone.get('failure reason')), 'TRACKER_REQUEST_INVALID: unknown torrent')
})

test('refused in bencode: what is missing, too short, too long, twice, or absurd', async (t) => {
  const { port, tracker } = await run(t)
  const path = announcePath(1)
  const wrong: [string, string][] = [
    ['/announce', 'info_hash must be 20 bytes, once'],
    [path.replace('%ff', ''), 'info_hash must be 20 bytes, once'],
    [`${path}&info_hash=${percent(infohash)}`, 'info_hash must be 20 bytes, once'],
    [path.replace('peer_id=%2d', 'peer_id='), 'peer_id must be 20 bytes, once'],
    [path.replace('port=7001', 'port=0'), 'port must be 1 to 65535'],
    [path.replace('port=7001', 'port=65536'), 'port must be 1 to 65535'],
    [path.replace('port=7001', 'port=-1'), 'port must be 1 to 65535'],
    [path.replace('port=7001', 'port=1e3'), 'port must be 1 to 65535'],
    [`${path}&event=exploded`, 'event must be started, completed or stopped'],
    [`${path}&x=%zz`, 'the query is malformed'],
    [`${path}&x=%2`, 'the query is malformed'],
    [`${path}${'&a=1'.repeat(200)}`, 'the query is malformed'],
    [`${path}&x=${'y'.repeat(9_000)}`, 'the query is malformed'],
    [path.replace('%00%ff', '%00%fe'), 'unknown torrent'],
    ['/scrape?info_hash=abc', 'info_hash must be 20 bytes'],
  ]
  for (const [url, reason] of wrong) {
    const answer = await get(port, url)
    assert.equal(text(answer.get('failure reason')), `TRACKER_REQUEST_INVALID: ${reason}`, url.slice(0, 80))
  }
  assert.equal(tracker.stats().refused, wrong.length)
  assert.equal(tracker.stats().peers, 0)
})

test('info_hash is read byte by byte, however it is written', () => {
  const literal = parseAnnounce(
    '/announce?info_hash=abcdefghij+bcdefghij&peer_id=-BW0001-00000000000+&port=1',
  )
  assert.ok(!('refused' in literal))
  assert.equal(literal.infohash, Buffer.from('abcdefghij+bcdefghij').toString('hex'))
  assert.equal(literal.agent, true)
  assert.deepEqual(parseScrape(`/scrape?info_hash=${percent(infohash)}`), [infohash.toString('hex')])
  assert.deepEqual(parseScrape('/scrape'), [])
})

test('reads the announces of the golden vectors', async () => {
  const vectors = JSON.parse(await readFile('test/vectors/tracker.json', 'utf8')) as {
    announces: {
      url: string
      infohash: string
      peer_id: string
      port: number
      left: number
      numwant: number
      event: string
    }[]
  }
  assert.ok(vectors.announces.length > 0)
  for (const vector of vectors.announces) {
    const announce = parseAnnounce(vector.url)
    assert.ok(!('refused' in announce), vector.url)
    assert.equal(announce.infohash, vector.infohash)
    assert.equal(announce.peerId, vector.peer_id)
    assert.equal(announce.port, vector.port)
    assert.equal(announce.leftBytes, Number.isSafeInteger(vector.left) ? vector.left : undefined)
    assert.equal(announce.numwant, Math.min(200, vector.numwant))
    assert.equal(announce.event, vector.event === 'none' ? undefined : vector.event)
  }
})

test('garbage on the tracker port ends connections, not the tracker', async (t) => {
  const { port } = await run(t)
  let x = 12_345
  const next = (): number => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0
    return x >>> 16
  }
  for (let round = 0; round < 200; round++) {
    const noise = Buffer.from(Array.from({ length: 1 + (next() % 400) }, () => next() & 255))
    const head = round % 2 === 0 ? 'GET /announce?info_hash=' : ''
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.end(Buffer.concat([Buffer.from(head), noise, Buffer.from('\r\n\r\n')])),
      )
      socket.on('error', () => {})
      socket.on('close', () => resolve())
      socket.resume()
    })
  }
  assert.equal((await get(port, announcePath(1, '', false))).get('incomplete'), 1)
})
