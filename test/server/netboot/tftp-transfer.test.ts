import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { negotiate } from '../../../server/netboot/tftp-options.js'
import { TftpTransfer } from '../../../server/netboot/tftp-transfer.js'

const terms = (options: Record<string, string>, size: number) =>
  negotiate(new Map(Object.entries(options)), size)
const blocks = (packets: readonly Buffer[]) => packets.map((packet) => packet.readUInt16BE(2))

test('takes the options that it knows and can keep, within its bounds, and passes over the rest', () => {
  const wanted = {
    blksize: '65464',
    tsize: '0',
    timeout: '5',
    windowsize: '65535',
    multicast: '',
    utimeout: '9',
  }
  assert.deepEqual(
    [...terms(wanted, 777).accepted],
    [
      ['blksize', 1450],
      ['tsize', 777],
      ['timeout', 5],
      ['windowsize', 64],
    ],
  )
  for (const bad of [
    { blksize: '7' },
    { blksize: '-1' },
    { blksize: '1e3' },
    { blksize: '99999999999' },
    { timeout: '0' },
    { timeout: '256' },
    { windowsize: '0' },
    { tsize: '' },
  ]) {
    assert.equal(terms(bad as Record<string, string>, 1).accepted.size, 0, JSON.stringify(bad))
  }
})

test('without options: one block after the other, the last one short, or empty where the size fits', () => {
  for (const size of [0, 1, 511, 512, 1024]) {
    const file = randomBytes(size)
    const transfer = new TftpTransfer(file, terms({}, size), 0)
    const parts: Buffer[] = []
    let packets = transfer.start(0)
    for (let block = 1; transfer.state === 'running'; block += 1) {
      assert.deepEqual(blocks(packets), [block])
      parts.push(...packets.map((packet) => packet.subarray(4)))
      packets = transfer.onAck(block, block)
    }
    assert.ok(Buffer.concat(parts).equals(file))
    assert.equal(parts.length, Math.floor(size / 512) + 1)
    assert.equal(transfer.state, 'done')
    assert.deepEqual(transfer.onAck(1, 9), [])
  }
})

test('block numbers roll over to 0', () => {
  const file = randomBytes(8 * 70_000 + 3)
  const transfer = new TftpTransfer(file, terms({ blksize: '8' }, file.length), 0)
  assert.equal(transfer.start(0)[0]?.readUInt16BE(0), 6)
  const parts: Buffer[] = []
  let packets = transfer.onAck(0, 0)
  for (let count = 1; transfer.state === 'running'; count += 1) {
    assert.deepEqual(blocks(packets), [count & 0xffff])
    parts.push(packets[0]?.subarray(4) ?? Buffer.alloc(0))
    packets = transfer.onAck(count & 0xffff, count)
  }
  assert.ok(Buffer.concat(parts).equals(file))
})

test('a repeated or foreign acknowledgement sends nothing; a timeout does', () => {
  const transfer = new TftpTransfer(randomBytes(5000), terms({}, 5000), 0)
  transfer.start(0)
  assert.deepEqual(blocks(transfer.onAck(1, 10)), [2])
  for (const block of [1, 0, 3, 900, 65_535]) assert.deepEqual(transfer.onAck(block, 20), [])
  assert.deepEqual(transfer.onTime(20), [])
  assert.deepEqual(blocks(transfer.onTime(transfer.deadlineMs)), [2])
  assert.deepEqual(blocks(transfer.onAck(2, 500)), [3])
})

test('a window goes on after the block that the client names, and its repetition is passed over', () => {
  const transfer = new TftpTransfer(randomBytes(512 * 20), terms({ windowsize: '4' }, 512 * 20), 0)
  transfer.start(0)
  assert.equal(transfer.isConfirmed, false)
  assert.deepEqual(blocks(transfer.onAck(0, 1)), [1, 2, 3, 4])
  assert.equal(transfer.isConfirmed, true)
  assert.deepEqual(blocks(transfer.onAck(2, 2)), [3, 4, 5, 6])
  assert.deepEqual(transfer.onAck(2, 3), [])
  assert.deepEqual(blocks(transfer.onAck(6, 4)), [7, 8, 9, 10])
})

test('an acknowledgement within a window that was just repeated asks only for what lies beyond', () => {
  const transfer = new TftpTransfer(randomBytes(512 * 20), terms({ windowsize: '4' }, 512 * 20), 0)
  transfer.start(0)
  transfer.onAck(0, 1)
  assert.deepEqual(blocks(transfer.onTime(transfer.deadlineMs)), [1, 2, 3, 4])
  assert.deepEqual(blocks(transfer.onAck(3, 300)), [5, 6, 7])
  assert.deepEqual(blocks(transfer.onAck(5, 301)), [6, 7, 8, 9])
  assert.deepEqual(blocks(transfer.onAck(9, 302)), [10, 11, 12, 13])
})

test('the timeout follows the round trip, doubles, and ends in giving up', () => {
  const transfer = new TftpTransfer(randomBytes(5000), terms({}, 5000), 0)
  transfer.start(0)
  assert.equal(transfer.deadlineMs, 1000)
  transfer.onAck(1, 10)
  assert.equal(transfer.deadlineMs, 210)
  let sent = 0
  while (transfer.state === 'running') sent += transfer.onTime(transfer.deadlineMs).length
  assert.equal(transfer.state, 'gone')
  assert.ok(sent >= 5 && sent <= 10, `${sent} repetitions`)
})

test('the timeout that a client asks for is acknowledged, and what is measured decides', () => {
  for (const asked of ['1', '6', '255']) {
    const transfer = new TftpTransfer(randomBytes(5000), terms({ timeout: asked }, 5000), 0)
    assert.equal(transfer.start(0)[0]?.toString('latin1', 2), `timeout\0${asked}\0`)
    assert.equal(transfer.deadlineMs, 1000)
    assert.deepEqual(blocks(transfer.onAck(0, 10)), [1])
    assert.equal(transfer.deadlineMs, 210, `asked for ${asked} s`)
    assert.deepEqual(blocks(transfer.onTime(210)), [1])
    assert.equal(transfer.deadlineMs, 610)
  }
  // However slow the client is, it waits no longer than 4 s: curl asks for 6 s.
  const slow = new TftpTransfer(randomBytes(5000), terms({ timeout: '6' }, 5000), 0)
  slow.start(0)
  slow.onAck(0, 900)
  let nowMs = 900
  for (let block = 1; block <= 5; block += 1) {
    nowMs = slow.deadlineMs - 1
    slow.onAck(block, nowMs)
    assert.ok(slow.deadlineMs - nowMs <= 4000, `block ${block}: ${slow.deadlineMs - nowMs} ms`)
  }
  assert.equal(slow.deadlineMs - nowMs, 4000)
})

test('a longer timeout stays until an answer to what was sent once is measured', () => {
  const transfer = new TftpTransfer(randomBytes(5000), terms({}, 5000), 0)
  transfer.start(0)
  transfer.onAck(1, 10)
  // From here on the client takes 500 ms for a block.
  const sent: number[] = []
  let nowMs = 10
  for (let block = 2; block <= 6; block += 1) {
    let count = 1
    const answerMs = nowMs + 500
    while (transfer.deadlineMs < answerMs) count += transfer.onTime(transfer.deadlineMs).length
    sent.push(count)
    nowMs = answerMs
    assert.deepEqual(blocks(transfer.onAck(block, nowMs)), [block + 1])
  }
  assert.deepEqual(sent, [2, 2, 1, 1, 1])
})

test('the answer to a request that came twice measures nothing', () => {
  const transfer = new TftpTransfer(randomBytes(5000), terms({ tsize: '0' }, 5000), 0)
  const first = transfer.start(0)
  assert.deepEqual(transfer.startAgain(900), first)
  transfer.onAck(0, 901)
  assert.equal(transfer.deadlineMs, 1901)
})

test('an error of the client ends it', () => {
  const transfer = new TftpTransfer(randomBytes(10), terms({ tsize: '0' }, 10), 0)
  transfer.start(0)
  transfer.onError()
  assert.equal(transfer.state, 'gone')
  assert.deepEqual(transfer.onTime(99_999), [])
})

test('what nobody answers is sent four times in all: the request may be forged', () => {
  for (const options of [{}, { tsize: '0', blksize: '1450', windowsize: '64' }]) {
    const transfer = new TftpTransfer(randomBytes(500_000), terms(options, 500_000), 0)
    const sent = [...transfer.start(0)]
    while (transfer.state === 'running') sent.push(...transfer.onTime(transfer.deadlineMs))
    assert.equal(sent.length, 4)
    assert.ok(sent.every(({ length }) => length <= 516))
  }
})

test('a client that acknowledges each block of a window makes us send no more than its share again', () => {
  const size = 1450 * 2000
  const transfer = new TftpTransfer(randomBytes(size), terms({ blksize: '1450', windowsize: '64' }, size), 0)
  transfer.start(0)
  let sent = transfer.onAck(0, 0).length
  for (let block = 1; block <= 1900; block += 1) sent += transfer.onAck(block, block).length
  // Each block once, and sixteen more for each that arrived.
  assert.ok(sent <= 1964 + 4 * 64 + 16 * 1900, `${sent} blocks`)
  assert.equal(transfer.onAck(1964, 2000).length, 37, 'and it goes on')
})

test('one lost block in twenty costs no timeout, whatever the window', () => {
  for (const windowsize of [4, 16, 64]) {
    const size = 512 * 3000
    const transfer = new TftpTransfer(randomBytes(size), terms({ windowsize: String(windowsize) }, size), 0)
    transfer.start(0)
    let packets = transfer.onAck(0, 0)
    let acked = 0
    let count = 0
    // The client names the last block before the first that is missing (RFC 7440).
    while (transfer.state === 'running') {
      assert.ok(packets.length > 0, `window ${windowsize}, block ${acked}`)
      for (const block of blocks(packets)) {
        count += 1
        if (count % 20 === 0) break
        if (block === ((acked + 1) & 0xffff)) acked += 1
      }
      packets = transfer.onAck(acked & 0xffff, count)
      if (packets.length === 0 && transfer.state === 'running') packets = transfer.onTime(transfer.deadlineMs)
    }
  }
})
