/** Before a storm: does one link carry what the floor is computed from? */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { BootswarmError } from '../../src/errors.js'
import { stop } from '../agent/measure.js'
import { inside } from './network.js'
import { type Plan, SERVER_ADDRESS } from './plan.js'
import { goodputBytes } from './shaping.js'

const PORT = 4001
const probe = fileURLToPath(new URL('./link-probe.js', import.meta.url))

/** How far a link may be from what was computed. */
const LINK_TOLERANCE = 0.04

/**
 * Measures one transfer from the server's link through the switches to a node, payload bytes a second.
 * @throws {BootswarmError} STORM_FAILED when the shaping is off by more than {@link LINK_TOLERANCE}
 */
export async function checkLink(plan: Plan, linkMbit: number, seconds: number): Promise<number> {
  const node = plan.nodes.find((candidate) => !candidate.slow)
  if (!node) return goodputBytes(linkMbit)
  const run = (role: string) => [process.execPath, probe, role, SERVER_ADDRESS, String(PORT), String(seconds)]
  const [program, args] = inside(plan.serverNamespace, run('send'))
  const sender = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    await once(sender.stdout, 'data')
    const expected = goodputBytes(linkMbit)
    let measured = 0
    // Losses in a row can make one transfer slow; a link that is shaped wrongly is so every time.
    for (let tries = 0; tries < 3; tries += 1) {
      measured = await receive(node.namespace, run('receive'))
      if (Math.abs(measured / expected - 1) <= LINK_TOLERANCE) return measured
    }
    const text = `one link carries ${measured.toFixed(0)} bytes a second instead of ${expected.toFixed(0)}`
    throw new BootswarmError('STORM_FAILED', `the shaping is wrong here: ${text}`)
  } finally {
    await stop(sender)
  }
}

async function receive(namespace: string, command: readonly string[]): Promise<number> {
  const [program, args] = inside(namespace, command)
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  await once(child, 'close')
  return Number(output)
}
