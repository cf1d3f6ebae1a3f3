/** A machine in iPXE, as the server sees it: asks for its script, and loads what that names. */
import assert from 'node:assert/strict'
import { ask } from '../server/http/support.js'

/** What a script that boots says. */
export interface BootScript {
  readonly text: string
  readonly ticket: string
  /** Paths of kernel and stage 1. */
  readonly files: readonly string[]
}

/** Asks for the script of a machine that may boot. */
export async function bootScriptOf(
  port: number,
  mac: string,
  localAddress = '127.0.0.1',
): Promise<BootScript> {
  const path = `/v1/ipxe/script/${mac.replaceAll(':', '-')}?arch=x86_64`
  const answer = await ask(port, path, { localAddress })
  const text = answer.body.toString()
  const [, ticket] = /bootswarm\.ticket=([0-9a-f]{32}) /.exec(text) ?? []
  assert.ok(ticket !== undefined, text)
  const files = [...text.matchAll(/^(?:kernel|initrd) .*? http:\/\/[^/]+(\/\S+)/gm)].map(
    ([, file = '']) => file,
  )
  assert.equal(files.length, 2)
  return { text, ticket, files }
}

/** The same, and loads kernel and stage 1: what is left to do is the agent's. */
export async function startMachine(port: number, mac: string, localAddress = '127.0.0.1'): Promise<string> {
  const { ticket, files } = await bootScriptOf(port, mac, localAddress)
  for (const file of files) assert.equal((await ask(port, file, { localAddress })).status, 200)
  return ticket
}
