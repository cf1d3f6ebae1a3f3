/**
 * Clients with invented MAC addresses that ask for their scripts and read the kernel slowly, a part each tenth of a second.
 * Prints `loading` when all have the head of their answer. At a line on standard input prints how many are still cut off by
 * nobody, and ends. Arguments: the server's URL, our address, how many.
 */
import { get, type IncomingMessage } from 'node:http'

const [base = '', localAddress = '', count = '0'] = process.argv.slice(2)
const everyMs = 100
const partBytes = 8 * 1024

function ask(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(new URL(path, base), { localAddress, agent: false }, resolve).on('error', reject)
  })
}

let open = 0

async function load(index: number): Promise<void> {
  const mac = `52-54-00-66-00-${index.toString(16).padStart(2, '0')}`
  for (;;) {
    let script = ''
    for await (const part of await ask(`/v1/ipxe/script/${mac}?arch=x86_64`)) script += part
    const [url] = /http:\S+\/v1\/ipxe\/file\/\S+/.exec(script) ?? []
    if (url === undefined) continue
    const kernel = await ask(url)
    if (kernel.statusCode !== 200) throw new Error(`${kernel.statusCode} for ${url}`)
    open += 1
    kernel.once('close', () => {
      open -= 1
    })
    kernel.on('error', () => {})
    setInterval(() => kernel.read(partBytes), everyMs)
    return
  }
}

await Promise.all(Array.from({ length: Number(count) }, (_, index) => load(index)))
process.stdout.write('loading\n')
process.stdin.once('data', () => {
  process.stdout.write(`${open}\n`, () => process.exit(0))
})
