import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import tftp from 'tftp'
import { ackPacket, readRequest, tftpGet } from '../../../bench/netboot/tftp-client.js'
import { TftpServer } from '../../../server/netboot/tftp.js'
import type { TftpFile } from '../../../server/netboot/tftp-files.js'
import type { TableLimits } from '../../../server/netboot/tftp-table.js'
import type { Fact } from '../../../src/timeline.js'
import { fuzzed } from '../../fuzz.js'
import { hangMs } from '../../support/limits.js'
import { lossyRelay } from '../../support/lossy-relay.js'
import { until, untilEqual } from '../../support/processes.js'
import { scratch } from '../../support/scratch.js'

const run = promisify(execFile)
const program = randomBytes(74_213)

async function serve(
  t: TestContext,
  files: Record<string, TftpFile> = { 'bios/undionly.kpxe': program, 'undionly.kpxe': program },
  limits?: TableLimits,
  nowMs = () => performance.now(),
): Promise<{ server: TftpServer; port: number; facts: Fact[] }> {
  const facts: Fact[] = []
  const server = new TftpServer({
    host: '127.0.0.1',
    port: 0,
    nowMs,
    log: () => {},
    fact: (fact) => void facts.push(fact),
    ...(limits === undefined ? {} : { limits }),
  })
  const port = await server.listen()
  server.setFiles(new Map(Object.entries(files)))
  t.after(() => server.close())
  return { server, port, facts }
}

test('serves its table and nothing else', async (t) => {
  const { server, port } = await serve(t, {
    'undionly.kpxe': program,
    'autoexec.ipxe': ({ address, serverAddress }) => Buffer.from(`${address} ${serverAddress}`),
  })
  for (const name of [
    'undionly.kpxe',
    '/undionly.kpxe',
    '\\undionly.kpxe',
    './UNDIONLY.KPXE',
    'undionly.kpxe\xff',
  ])
    assert.ok((await tftpGet({ port, name })).bytes.equals(program), name)
  const script = await tftpGet({ port, name: 'autoexec.ipxe', from: '127.0.0.7' })
  assert.equal(script.bytes.toString(), '127.0.0.7 127.0.0.1')
  for (const name of ['../undionly.kpxe', '/etc/passwd', '__proto__', 'constructor', 'undionly.kpxe/', '..'])
    await assert.rejects(tftpGet({ port, name }), /^Error: error 1 /, name)
  // The server counts a transfer when it has the last acknowledgement.
  await untilEqual('the transfers to be counted', () => server.stats().completed, 6)
})

test('answers the options, one packet each, and lets the client give up after the size', async (t) => {
  const { server, port, facts } = await serve(t)
  const got = await tftpGet({
    port,
    name: 'undionly.kpxe',
    options: { tsize: 0, blksize: 1468, windowsize: 4, unknown: 1 },
  })
  assert.deepEqual(Object.fromEntries(got.oack), { tsize: '74213', blksize: '1450', windowsize: '4' })
  assert.ok(got.bytes.equals(program))
  const probe = createSocket('udp4')
  t.after(() => probe.close())
  probe.send(readRequest('undionly.kpxe', { tsize: 0 }), port, '127.0.0.1')
  const [size, transferPort] = await new Promise<[string, number]>((resolve) =>
    probe.once('message', (packet, from) => resolve([packet.toString('latin1', 2), from.port])),
  )
  assert.equal(size, 'tsize\x0074213\0')
  probe.send(Buffer.from('\0\x05\0\0ok\0', 'latin1'), transferPort, '127.0.0.1')
  await untilEqual('the end of the transfer', () => [server.stats().transfers, server.stats().ended], [0, 1])
  assert.deepEqual(
    facts.map(({ type, address, data: { seconds: _, ...data } }) => [type, address, data]),
    [
      ['program.sent', '127.0.0.1', { file: 'undionly.kpxe', bytes: 74_213 }],
      [
        'program.broken-off',
        '127.0.0.1',
        { file: 'undionly.kpxe', why: 'error', bytes: 0, of_bytes: 74_213 },
      ],
    ],
  )
})

test('refuses to be written to and text mode; a request that comes twice is one transfer', async (t) => {
  const { server, port } = await serve(t)
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const next = () =>
    new Promise<{ packet: Buffer; port: number }>((resolve) =>
      socket.once('message', (packet, from) => resolve({ packet, port: from.port })),
    )
  const write = readRequest('undionly.kpxe')
  write.writeUInt16BE(2, 0)
  for (const [request, code] of [
    [write, 2],
    [readRequest('undionly.kpxe', {}, 'netascii'), 4],
  ] as const) {
    const answer = next()
    socket.send(request, port, '127.0.0.1')
    assert.deepEqual([...(await answer).packet.subarray(0, 4)], [0, 5, 0, code])
  }
  const first = next()
  socket.send(readRequest('undionly.kpxe'), port, '127.0.0.1')
  const tid = (await first).port
  const again = next()
  socket.send(readRequest('undionly.kpxe'), port, '127.0.0.1')
  const repeated = await again
  assert.equal(repeated.port, tid)
  assert.equal(repeated.packet.readUInt16BE(2), 1)
  assert.equal(server.stats().transfers, 1)
  // A stranger cannot disturb it.
  const stranger = createSocket('udp4')
  t.after(() => stranger.close())
  stranger.on('error', () => {})
  stranger.send(ackPacket(1), tid, '127.0.0.1')
  const second = next()
  socket.send(ackPacket(1), tid, '127.0.0.1')
  assert.equal((await second).packet.readUInt16BE(2), 2)
  // A copy of the request that comes late disturbs nothing.
  socket.send(readRequest('undionly.kpxe'), port, '127.0.0.1')
  const third = next()
  socket.send(ackPacket(2), tid, '127.0.0.1')
  assert.deepEqual((await third).packet.readUInt16BE(2), 3)
  // The machine was switched off and on: block 3 comes again in vain, then it asks at the same port from the beginning.
  assert.equal((await next()).packet.readUInt16BE(2), 3)
  const anew = next()
  socket.send(readRequest('undionly.kpxe'), port, '127.0.0.1')
  assert.notEqual((await anew).port, tid)
  assert.equal(server.stats().transfers, 1)
})

test('another request from the same port gets its own answer, also before the first was acknowledged', async (t) => {
  const { server, port } = await serve(t)
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const ask = (request: Buffer) => {
    const answer = new Promise<{ text: string; tid: number }>((resolve) =>
      socket.once('message', (packet, from) =>
        resolve({ text: packet.subarray(0, 40).toString('latin1'), tid: from.port }),
      ),
    )
    socket.send(request, port, '127.0.0.1')
    return answer
  }
  const size = await ask(readRequest('undionly.kpxe', { tsize: 0 }))
  assert.equal(size.text, '\0\x06tsize\x0074213\0')
  assert.deepEqual(await ask(readRequest('undionly.kpxe', { tsize: 0 })), size)
  const block = await ask(readRequest('undionly.kpxe', { blksize: 1024 }))
  assert.equal(block.text, '\0\x06blksize\x001024\0')
  assert.notEqual(block.tid, size.tid)
  const plain = await ask(readRequest('undionly.kpxe'))
  assert.equal(plain.text.slice(0, 4), '\0\x03\0\x01')
  assert.equal(server.stats().transfers, 1)
})

/** Begins a transfer from an address, and acknowledges so many blocks of it. */
async function begin(
  t: TestContext,
  port: number,
  from: string,
  acks = 0,
): Promise<{ error: Promise<string> }> {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  await new Promise<void>((resolve) => socket.bind(0, from, resolve))
  const next = () =>
    new Promise<{ packet: Buffer; tid: number }>((resolve) =>
      socket.once('message', (packet, sender) => resolve({ packet, tid: sender.port })),
    )
  const answer = next()
  socket.send(readRequest('undionly.kpxe', { blksize: 512 }), port, '127.0.0.1')
  let { tid } = await answer
  for (let block = 0; block < acks; block += 1) {
    const following = next()
    socket.send(ackPacket(block), tid, '127.0.0.1')
    ;({ tid } = await following)
  }
  const error = new Promise<string>((resolve) =>
    socket.on('message', (packet) => {
      if (packet.readUInt16BE(0) === 5) resolve(packet.toString('latin1', 4, packet.length - 1))
    }),
  )
  return { error }
}

test('an address has what nobody else asks for; then the one with most makes room, its oldest first', async (t) => {
  const { server, port } = await serve(t, undefined, { total: 8, unconfirmed: 8 })
  const own = []
  for (let count = 0; count < 8; count += 1) own.push(await begin(t, port, '127.0.0.2', 2))
  assert.equal(server.stats().transfers, 8)
  for (const from of ['127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6']) await begin(t, port, from, 2)
  assert.equal(server.stats().transfers, 8)
  for (const { error } of own.slice(0, 4)) assert.equal(await error, 'another transfer takes its place')
  assert.ok((await tftpGet({ port, name: 'undionly.kpxe', from: '127.0.0.9' })).bytes.equals(program))
})

test('what never answered makes room first, and is not told', async (t) => {
  const { server, port } = await serve(t, undefined, { total: 4, unconfirmed: 2 })
  for (let count = 0; count < 3; count += 1) await begin(t, port, '127.0.0.2')
  assert.equal(server.stats().transfers, 2)
  for (const from of ['127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.6']) await begin(t, port, from)
  assert.equal(server.stats().transfers, 4)
  // Eight answers, and not one packet more to addresses that may be forged.
  assert.equal(server.stats().sent_packets, 7)
  assert.ok((await tftpGet({ port, name: 'undionly.kpxe', from: '127.0.0.9' })).bytes.equals(program))
})

test('an address that asks without end is answered at its rate, and others all the same', async (t) => {
  const { server, port } = await serve(t, undefined, undefined, () => 0)
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.2', resolve))
  const settle = () => tftpGet({ port, name: 'none', from: '127.0.0.3' }).catch(() => {})
  for (let sent = 0; sent < 4000; sent += 1) {
    socket.send(readRequest('undionly.kpxe', { blksize: 512 + sent }), port, '127.0.0.1')
    if (sent % 100 === 99) await settle()
  }
  await untilEqual('all to be read', () => server.stats().dropped, 4000 - 2048)
  const options = { blksize: 1432 }
  const got = await tftpGet({ port, name: 'undionly.kpxe', from: '127.0.0.4', options })
  assert.ok(got.bytes.equals(program))
})

test('refusals count as answers do', async (t) => {
  const { server, port } = await serve(t, undefined, undefined, () => 0)
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.2', resolve))
  const settle = () => tftpGet({ port, name: 'none', from: '127.0.0.3' }).catch(() => {})
  for (let sent = 0; sent < 4000; sent += 1) {
    socket.send(sent % 2 === 0 ? readRequest('none') : Buffer.from('\0\x02none\0octet\0'), port, '127.0.0.1')
    if (sent % 100 === 99) await settle()
  }
  await untilEqual('all to be read', () => server.stats().dropped, 4000 - 2048)
})

test('requests without options are answered with ten times as much: at a bounded rate', async (t) => {
  const { server, port } = await serve(t, undefined, undefined, () => 0)
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.2', resolve))
  const names = ['undionly.kpxe', 'bios/undionly.kpxe']
  // An answer says that what was sent before has been read; a name that is refused takes no room.
  const settle = () => tftpGet({ port, name: 'none', from: '127.0.0.3' }).catch(() => {})
  for (let sent = 0; sent < 2000; sent += 1) {
    socket.send(readRequest(names[sent % 2] ?? ''), port, '127.0.0.1')
    if (sent % 100 === 99) await settle()
  }
  await untilEqual('all to be read', () => server.stats().dropped, 2000 - 512)
  assert.ok(server.stats().sent_packets <= 512)
  assert.equal(
    (await tftpGet({ port, name: 'undionly.kpxe', from: '127.0.0.4' })).bytes.length,
    program.length,
  )
})

test('real clients: curl, tftp-hpa, busybox', async (t) => {
  const { port } = await serve(t)
  const cwd = scratch(t)
  const url = `tftp://127.0.0.1:${port}/bios/undionly.kpxe`
  const remote = ['127.0.0.1', String(port)]
  await run('curl', ['-sS', '--max-time', '300', '-o', 'curl', url], { cwd })
  await run('curl', ['-sS', '--max-time', '300', '--tftp-no-options', '-o', 'curl-plain', url], { cwd })
  await run('curl', ['-sS', '--max-time', '300', '--tftp-blksize', '8192', '-o', 'curl-large', url], { cwd })
  await run('tftp', ['-m', 'binary', ...remote, '-c', 'get', 'undionly.kpxe', 'hpa'], {
    cwd,
    timeout: hangMs,
  })
  for (const blksize of ['512', '1400', '65464']) {
    const args = ['tftp', '-g', '-b', blksize, '-r', 'undionly.kpxe', '-l', `busybox-${blksize}`, ...remote]
    await run('busybox', args, { cwd, timeout: hangMs })
  }
  const names = readdirSync(cwd)
  assert.equal(names.length, 7)
  for (const name of names) assert.ok(readFileSync(join(cwd, name)).equals(program), name)
})

test('the package tftp as a client, with a window of 1, 4 and 64', async (t) => {
  const { port } = await serve(t)
  const cwd = scratch(t)
  for (const windowSize of [1, 4, 64]) {
    const options = { host: '127.0.0.1', port, blockSize: 1468, windowSize, retries: 100, timeout: 1000 }
    const local = join(cwd, String(windowSize))
    await new Promise<void>((resolve, reject) =>
      tftp
        .createClient(options)
        .get('undionly.kpxe', local, (error) =>
          error === undefined || error === null ? resolve() : reject(error),
        ),
    )
    assert.ok(readFileSync(local).equals(program), `window ${windowSize}`)
  }
})

test('finishes at 2 % loss with a window of 1 and of 16', { timeout: hangMs }, async (t) => {
  const { port } = await serve(t)
  await Promise.all(
    [1, 16].map(async (windowsize) => {
      const relay = await lossyRelay(port, 0.02, windowsize)
      t.after(() => relay.close())
      const got = await tftpGet({
        port: relay.port,
        name: 'undionly.kpxe',
        options: { blksize: 512, windowsize },
      })
      assert.ok(got.bytes.equals(program))
      assert.ok(relay.counts.lost > 0)
    }),
  )
})

for (const behind of ['addresses of their own', 'one address']) {
  test(`500 nodes behind ${behind} load the boot program at once, none lost`, {
    timeout: hangMs,
  }, async (t) => {
    const { server, port } = await serve(t)
    const beganMs = performance.now()
    const all = await Promise.all(
      Array.from({ length: 500 }, (_, node) =>
        tftpGet({
          port,
          name: 'undionly.kpxe',
          options: { blksize: 1408, tsize: 0 },
          from: behind === 'one address' ? '127.0.0.1' : `127.1.${node >> 8}.${node & 255}`,
        }),
      ),
    )
    t.diagnostic(`${(performance.now() - beganMs).toFixed(0)} ms`)
    assert.ok(all.every(({ bytes }) => bytes.equals(program)))
    // Not all need be complete to the server: of one whose client was gone when the last block came again it never hears.
    await untilEqual('all transfers to be over', () => server.stats().transfers, 0)
  })
}

test('100,000 mutated packets: no crash, no leak, and it serves on', { timeout: hangMs }, async (t) => {
  const { server, port } = await serve(t, undefined, { total: 64, unconfirmed: 8 })
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  const tids = new Set<number>()
  socket.on('message', (_, from) => tids.add(from.port))
  const seeds = [
    readRequest('undionly.kpxe', { blksize: 1432, tsize: 0, windowsize: 16, timeout: 2 }),
    readRequest('undionly.kpxe'),
    ackPacket(1),
    Buffer.from('\0\x05\0\x01gone\0', 'latin1'),
  ]
  let sent = 0
  for (const [index, seed] of seeds.entries()) {
    for (const packet of fuzzed(seed, 0x7f7 + index, 25_000)) {
      // To the port of requests, and to those of running transfers.
      const to = sent % 3 === 0 ? ([...tids].at(-1) ?? port) : port
      socket.send(packet, to, '127.0.0.1')
      sent += 1
      if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  assert.equal(sent, 100_000)
  assert.ok((await tftpGet({ port, name: 'undionly.kpxe', from: '127.0.0.9' })).bytes.equals(program))
  assert.ok(server.stats().malformed > 1000, JSON.stringify(server.stats()))
  assert.ok(tids.size > 10)
  assert.ok(server.stats().transfers <= 9)
  const openBefore = readdirSync('/proc/self/fd').length
  server.close()
  await until('its sockets to be closed', async () =>
    readdirSync('/proc/self/fd').length < openBefore ? true : undefined,
  )
  assert.equal(server.stats().transfers, 0)
})
