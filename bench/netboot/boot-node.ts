/**
 * What a machine does before its agent runs: DHCP, the boot program by TFTP, its script and then kernel and stage 1 over
 * HTTP, as iPXE does. `boot-node.js SERVER ADDRESS MAC`; prints an event and ends when it has all.
 */
import { get } from 'node:http'
import { obtainLease } from './dhcp-client.js'
import { tftpGet } from './tftp-client.js'

const [server = '', address = '', mac = ''] = process.argv.slice(2)
/** iPXE gives up on a fetch without progress after this, milliseconds. */
const progressMs = 3000
/** After a fetch that failed, milliseconds; a machine asks for ever, somebody switches it off and on. */
const againMs = 1000

/** What a boot program takes at most, milliseconds. */
const transferMs = 30_000

const pause = (ms: number): Promise<undefined> =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), ms))

/** The body; undefined for any other answer than 200 and for one that does not go on. */
function fetch(url: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const none = () => resolve(undefined)
    const request = get(url, { localAddress: address, agent: false, timeout: progressMs }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', none)
      response.on('close', none)
      response.on('end', () => resolve(response.statusCode === 200 ? Buffer.concat(parts) : undefined))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', none)
  })
}

/** As long as it takes: the script tells when to ask again. */
async function load(): Promise<number> {
  const script = `http://${server}:8480/v1/ipxe/script/${mac.replaceAll(':', '-')}?arch=x86_64`
  for (let tries = 0; ; ) {
    const text = (await fetch(`${script}&tries=${tries}`))?.toString() ?? ''
    const urls = [...text.matchAll(/http:\S+\/v1\/ipxe\/file\/\S+/g)].map(([url]) => url)
    if (urls.length === 0) {
      const sleepS = /^sleep ([0-9]+)$/m.exec(text)?.[1]
      await pause(text === '' ? againMs : Number(sleepS ?? 0) * 1000)
      continue
    }
    let bytes = 0
    for (const url of urls) {
      const body = await fetch(url)
      if (body === undefined) break
      bytes += body.length
      if (url === urls.at(-1)) return bytes
    }
    tries = Math.min(tries + 1, 99)
    await pause(againMs)
  }
}

/** Firmware begins a transfer that stands still anew. */
async function program(name: string): Promise<number> {
  const options = { tsize: 0, blksize: 1468, windowsize: 4 }
  for (;;) {
    const whole = tftpGet({ port: 69, to: server, from: address, name, options }).catch(() => undefined)
    const got = await Promise.race([whole, pause(transferMs)])
    if (got !== undefined) return got.bytes.length
    await pause(againMs)
  }
}

const lease = await obtainLease(mac, address, Math.random)
const leasedMs = performance.now()
const programBytes = await program(lease.file)
const programMs = performance.now()
const bytes = programBytes + (await load())
const data = {
  dhcp_ms: Math.round(leasedMs),
  tftp_ms: Math.round(programMs - leasedMs),
  http_ms: Math.round(performance.now() - programMs),
  bytes,
}
process.stdout.write(`${JSON.stringify({ type: 'stage1.loaded', data })}\n`, () => process.exit(0))
