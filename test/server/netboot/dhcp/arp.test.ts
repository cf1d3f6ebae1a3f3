import assert from 'node:assert/strict'
import type { Socket } from 'node:dgram'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type AddressUse, ArpProbe } from '../../../../server/netboot/dhcp/arp.js'
import { ip } from './support.js'

const head = 'IP address       HW type     Flags       HW address            Mask     Device\n'
const row = (address: string, flags: string, mac: string) =>
  `${address.padEnd(17)}0x1         ${flags.padEnd(12)}${mac}     *        lan0\n`
const table = `${head}${row('10.77.0.5', '0x2', '52:54:00:AA:00:05')}${row('10.77.0.6', '0x0', '00:00:00:00:00:00')}${row('10.77.0.7', '0x6', '52:54:00:aa:00:07')}`

/** A socket that counts what it is told to send. */
function counting(): { socket: Socket; sent(): number } {
  let sent = 0
  return { socket: { send: () => void sent++ } as unknown as Socket, sent: () => sent }
}

test('a look at the table answers for all that are due, however they come', async () => {
  const { socket } = counting()
  const looks: number[] = []
  const answers = new Map<number, AddressUse>()
  const first = ip('10.77.0.1')
  const last = first + 39
  const all = new Promise<void>((resolve) => {
    const probe = new ArpProbe(
      (address, use) => {
        answers.set(address, use)
        if (address === last) resolve()
      },
      () => {
        looks.push(performance.now())
        return table
      },
    )
    void (async () => {
      for (let address = first; address <= last; address++) {
        probe.ask(address, socket)
        await setTimeout(5)
      }
    })()
  })
  await all
  assert.equal(answers.size, 40)
  assert.deepEqual(answers.get(ip('10.77.0.5')), { kind: 'used', by: '52:54:00:aa:00:05' })
  assert.deepEqual(answers.get(ip('10.77.0.6')), { kind: 'free' })
  const gaps = looks.slice(1).map((at, i) => at - (looks[i] ?? 0))
  // Timers may be a millisecond early.
  assert.ok(
    gaps.every((ms) => ms > 45),
    gaps.join(),
  )
})

test('no more addresses are asked for than the kernel has room for; of the others nothing is known', () => {
  const { socket, sent } = counting()
  let unknown = 0
  const probe = new ArpProbe((_address, use) => {
    if (use.kind === 'unknown') unknown++
  })
  for (let i = 0; i < 1000; i++) probe.ask(ip('10.77.0.1') + i, socket)
  assert.deepEqual([sent(), unknown, probe.stats().unprobed], [512, 488, 488])
  probe.stop()
})

test('without a descriptor for the table it is read again, and in the end nothing is known', async () => {
  const { socket } = counting()
  const short = Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  let failures = 2
  const use = await new Promise<AddressUse>((resolve) => {
    const read = () => {
      if (failures-- > 0) throw short
      return table
    }
    new ArpProbe((_address, found) => resolve(found), read).ask(ip('10.77.0.5'), socket)
  })
  assert.deepEqual([use, failures], [{ kind: 'used', by: '52:54:00:aa:00:05' }, -1])
  const never = await new Promise<AddressUse>((resolve) => {
    const read = () => {
      throw short
    }
    new ArpProbe((_address, found) => resolve(found), read).ask(ip('10.77.0.5'), socket)
  })
  assert.deepEqual(never, { kind: 'unknown' })
})
