import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { negotiate } from '../../../server/netboot/tftp-options.js'
import { parseTftp } from '../../../server/netboot/tftp-packet.js'
import { TftpTransfer } from '../../../server/netboot/tftp-transfer.js'

/** What went over the wire when real clients loaded a program from this server; of its data the length alone. */
interface Capture {
  readonly name: string
  readonly file_bytes: number
  readonly transfers: readonly (readonly Packet[])[]
}

interface Packet {
  readonly from: 'client' | 'server'
  /** Of a block of data: its header. */
  readonly hex: string
  readonly data_bytes?: number
}

const captures = JSON.parse(readFileSync('test/server/netboot/tftp-captures.json', 'utf8')) as Capture[]

/** As the captures have it. */
function told(bytes: Buffer): { hex: string; data_bytes?: number } {
  const isData = bytes.readUInt16BE(0) === 3
  return isData
    ? { hex: bytes.toString('hex', 0, 4), data_bytes: bytes.length - 4 }
    : { hex: bytes.toString('hex') }
}

for (const { name, file_bytes: fileBytes, transfers } of captures) {
  test(`replay: ${name}`, () => {
    const ends = transfers.map((packets) => {
      const sent: ReturnType<typeof told>[] = []
      let transfer: TftpTransfer | undefined
      for (const { from, hex } of packets) {
        if (from === 'server') continue
        const packet = parseTftp(Buffer.from(hex, 'hex'))
        assert.ok(packet !== undefined, hex)
        if (packet.kind === 'read') {
          assert.equal(transfer, undefined, 'nobody had to ask twice')
          transfer = new TftpTransfer(Buffer.alloc(fileBytes), negotiate(packet.options, fileBytes), 0)
          sent.push(...transfer.start(0).map(told))
        } else if (packet.kind === 'ack') {
          sent.push(...(transfer?.onAck(packet.block, 0) ?? []).map(told))
        } else transfer?.onError()
      }
      const captured = packets.filter(({ from }) => from === 'server')
      assert.deepEqual(
        sent,
        captured.map(({ hex, data_bytes }) => ({ hex, ...(data_bytes === undefined ? {} : { data_bytes }) })),
      )
      const bytes = sent.reduce((sum, { data_bytes }) => sum + (data_bytes ?? 0), 0)
      return [transfer?.state, bytes]
    })
    // Some ask for the size first, and break off.
    assert.deepEqual(ends.at(-1), ['done', fileBytes])
    for (const end of ends.slice(0, -1)) assert.deepEqual(end, ['gone', 0])
  })
}

test('there are captures of firmware and of tools', () => {
  assert.ok(captures.length >= 5)
})
