/**
 * A farm that boots, as the server sees it: each node asks by DHCP and TFTP, for its script, kernel and stage 1, for its manifest,
 * and reports as an agent does. No node downloads or unpacks anything: what the server does for its answers is measured.
 * Argument: {@link FarmScript} as JSON. Prints how many are done.
 */
import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { Agent, request } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { obtainLease } from '../netboot/dhcp-client.js'
import { tftpGet } from '../netboot/tftp-client.js'

/** What the farm is told. */
export interface FarmScript {
  readonly nodes: number
  /** Over which they are switched on. */
  readonly seconds: number
  readonly server: string
  /** Of this card, and the source of all that is sent. */
  readonly address: string
  readonly caFile: string
}

const { nodes, seconds, server, address, caFile } = JSON.parse(process.argv[2] ?? '') as FarmScript
const ca = readFileSync(caFile)
/** Reports of progress in one boot: 2 s after its start, then 4, 8 and 10 s apart. */
const progressReports = 5
const progressMs = 2000

async function boot(node: number): Promise<void> {
  const mac = `52:54:00:01:${hex(node >> 8)}:${hex(node & 255)}`
  const { file } = await obtainLease(mac, address, Math.random)
  await tftpGet({ port: 69, to: server, from: address, name: file, options: { tsize: 0, blksize: 1468 } })
  await files(mac)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const id = hex(node).padStart(16, '0')
  const nonce = id + id
  await https(agent, 'GET', `/v1/manifest?node=${mac}&nonce=${nonce}&boot=${id}`)
  let seq = 0
  const report = (...events: readonly (readonly [string, object])[]) => {
    const body = events.map(([type, data]) => ({ boot: id, seq: seq++, t_ms: seq, type, data }))
    return https(agent, 'POST', `/v1/nodes/${mac}/events`, JSON.stringify(body))
  }
  const sources = { from_peers_bytes: 100_000_000, from_origin_bytes: 100_000 }
  await report(
    ['boot.started', { agent: '0.1.0', mem_total_bytes: 8_000_000_000 }],
    ['manifest.verified', { version: 1, artifacts: 1 }],
    ['artifact.started', { name: 'root', size_bytes: 130_000_000 }],
  )
  for (let n = 1; n <= progressReports; n += 1) {
    await pause(progressMs)
    await report(['progress', { done_bytes: n, total_bytes: 9, peers: 20, ...sources }])
  }
  await report(
    ['artifact.downloaded', { name: 'root', duplicate_bytes: 0, seconds: 10, ...sources }],
    ['artifact.unpacked', { name: 'root', entries: 30_000 }],
    ['boot.completed', { seconds: 12, version: 1, ...sources }],
  )
  agent.destroy()
}

/** Script, kernel and stage 1, as iPXE asks for them. */
async function files(mac: string): Promise<void> {
  const script = `http://${server}:8480/v1/ipxe/script/${mac.replaceAll(':', '-')}`
  await http(script)
  for (;;) {
    const text = await http(`${script}?arch=x86_64`)
    const urls = [...text.matchAll(/http:\S+\/v1\/ipxe\/file\/\S+/g)].map(([url]) => url)
    for (const url of urls) await http(url)
    if (urls.length > 0) return
    await pause(1000 * Number(/^sleep ([0-9]+)$/m.exec(text)?.[1] ?? 0))
  }
}

function http(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { localAddress: address, agent: false }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => resolve(Buffer.concat(parts).toString('latin1')))
    }).on('error', reject)
  })
}

function https(agent: Agent, method: string, path: string, body?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const asked = request({ host: server, port: 8443, path, method, headers, ca, agent }, (answer) => {
      const status = answer.statusCode ?? 0
      answer.resume().on('end', () => {
        if (status < 300) resolve()
        else reject(new Error(`${status} for ${method} ${path}`))
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

function hex(number: number): string {
  return number.toString(16).padStart(2, '0')
}

await Promise.all(
  Array.from({ length: nodes }, async (_, node) => {
    await pause((node * seconds * 1000) / nodes)
    await boot(node)
  }),
)
process.stdout.write(`${nodes}\n`, () => process.exit(0))
