/**
 * Sends mutated captures to a server's DHCP ports as fast as it may. Arguments: our address, the server's, the number
 * for each port. Prints how many were sent.
 */
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { fuzzed } from '../../fuzz.js'

const [address = '', server = '', count = '0'] = process.argv.slice(2)
const captures = JSON.parse(readFileSync('test/server/netboot/dhcp/captures.json', 'utf8')) as {
  datagrams: { from: string; hex: string }[]
}[]
const good = captures.flatMap(({ datagrams }) =>
  datagrams.filter(({ from }) => !from.startsWith('10.77.0.1:')).map(({ hex }) => Buffer.from(hex, 'hex')),
)
const each = Math.ceil(Number(count) / good.length)
const socket = createSocket('udp4')
let sent = 0

const send = (bytes: Buffer, port: number) =>
  new Promise<void>((resolve) => {
    socket.send(bytes, port, server, (error) => {
      if (error === null) sent++
      resolve()
    })
  })

/** Datagrams on the way: fewer than the server's buffer holds. */
const pairsAtOnce = 32
const asked = good.find((bytes) => bytes.readUInt32BE(12) !== 0) ?? Buffer.alloc(0)

/** A question may be beyond the rate that the server answers at. */
const askAgainMs = 50

/** Waits until the server has read what was sent: it answers a question with a number of its own. */
async function settle(number: number): Promise<void> {
  const question = Buffer.from(asked)
  question.writeUInt32BE(number, 4)
  const answered = new Promise<void>((resolve) => {
    const ask = () => void send(question, 4011)
    const again = setInterval(ask, askAgainMs)
    const listener = (bytes: Buffer) => {
      if (bytes.length < 8 || bytes.readUInt32BE(4) !== number) return
      clearInterval(again)
      socket.off('message', listener)
      resolve()
    }
    socket.on('message', listener)
    ask()
  })
  await answered
}

socket.bind(0, address, async () => {
  let pairs = 0
  for (const [seed, bytes] of good.entries()) {
    for (const variant of fuzzed(bytes, 99 + seed, each)) {
      await Promise.all([send(variant, 67), send(variant, 4011)])
      if (++pairs % pairsAtOnce === 0) await settle(0xf0000000 + pairs)
    }
  }
  process.stdout.write(`${sent}\n`, () => process.exit(0))
})
