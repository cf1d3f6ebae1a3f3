/**
 * Machines that ask for their script, wait as it says, and load kernel and stage 1, as iPXE does; prints when each was
 * done, and how many bytes all of them together had by then, in this order, as JSON. Arguments: the server's URL, how many.
 */
export interface Loaded {
  /** Since the start. */
  readonly ms: number
  readonly bytesOfAll: number
}

const [base = '', count = '0'] = process.argv.slice(2)
const beganMs = performance.now()
const done: Loaded[] = []
let bytesOfAll = 0

async function load(node: number): Promise<void> {
  const mac = `52-54-00-00-${(node >> 8).toString(16).padStart(2, '0')}-${(node & 255).toString(16).padStart(2, '0')}`
  for (;;) {
    const script = await (await fetch(`${base}/v1/ipxe/script/${mac}?arch=x86_64`)).text()
    const files = [...script.matchAll(/http:\S+\/v1\/ipxe\/file\/\S+/g)].map(([url]) => url)
    if (files.length === 0) {
      const sleepS = Number(/^sleep ([0-9]+)$/m.exec(script)?.[1] ?? 0)
      await new Promise((resolve) => setTimeout(resolve, sleepS * 1000))
      continue
    }
    for (const url of files) {
      const answer = await fetch(url)
      if (answer.status !== 200) throw new Error(`${answer.status} for ${url}`)
      for await (const part of answer.body ?? []) bytesOfAll += part.length
    }
    done.push({ ms: Math.round(performance.now() - beganMs), bytesOfAll })
    return
  }
}

await Promise.all(Array.from({ length: Number(count) }, (_, node) => load(node)))
process.stdout.write(JSON.stringify(done))
process.exit(0)
