/** The seeder's process dies: nodes that are there find the new one, and it does not hand out again what they have. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { farm } from '../support/farm.js'
import { childrenOf, until } from '../support/processes.js'

/** Whether there is an established TCP connection from this loopback address to this port (proc(5)). */
function isConnected(address: string, port: number): boolean {
  const reversed = address.split('.').map(Number).reverse()
  const hex = Buffer.from(reversed).toString('hex').toUpperCase()
  const to = port.toString(16).toUpperCase().padStart(4, '0')
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .some((line) => new RegExp(`^ *\\d+: ${hex}:[0-9A-F]{4} [0-9A-F]{8}:${to} 01 `).test(line))
}

test('nodes connect to the seeder that takes the place of one that died', async (t) => {
  const { server, boot } = await farm(t, 8_000_000, 'settings: { POOL: x }\n')
  const first = boot('rig1', '127.0.1.1')
  await first.event('boot.completed')
  const before = (await server.status()) as { ports: { seeder: number } }
  const port = before.ports.seeder
  await until('the first node at the seeder', async () => isConnected('127.0.1.1', port) || undefined)
  const seeder = childrenOf(server.child.pid ?? 0).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('seeder-process'),
  )
  assert.ok(seeder)
  process.kill(seeder, 'SIGKILL')
  await until('the first node at the new seeder', async () => {
    const { origin } = (await server.status()) as {
      origin: { seeder_running: boolean; seeder_restarts: number }
    }
    return (
      (origin.seeder_restarts === 1 && origin.seeder_running && isConnected('127.0.1.1', port)) || undefined
    )
  })
  const second = boot('rig2', '127.0.1.2')
  const done = await second.event('boot.completed')
  assert.ok(Number(done.data.from_peers_bytes) > 0)
})
