/**
 * Transfers through a lossy relay, from our TFTP server and from dnsmasq's with the same losses; prints the packets of
 * each and how long curl takes, as JSON. dnsmasq knows port 69 only: run this in a network namespace of its own.
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { tftpGet } from '../../bench/netboot/tftp-client.js'
import { TftpServer } from '../../server/netboot/tftp.js'
import { lossyRelay } from './lossy-relay.js'

/** All transfers of one kind together. */
export interface Packets {
  readonly server: 'bootswarm' | 'dnsmasq'
  readonly windowsize: number
  /** Packets in both directions, lost ones too. */
  readonly sent: number
  readonly lost: number
  /** Transfers that gave the file, byte for byte. */
  readonly whole: number
}

/** How long curl took for each transfer, seconds, the shortest first. It asks for a timeout of 6 s. */
export interface CurlTimes {
  readonly server: Packets['server']
  readonly seconds: readonly number[]
  /** As in {@link Packets}. */
  readonly whole: number
}

/** What this prints. */
export interface BesideDnsmasq {
  readonly packets: readonly Packets[]
  readonly curl: readonly CurlTimes[]
}

const transfers = 8
const loss = 0.02
const directory = mkdtempSync(join(tmpdir(), 'bootswarm-dnsmasq-'))
const file = randomBytes(150 * 1024 + 7)
writeFileSync(join(directory, 'program'), file, { mode: 0o644 })

const theirs = spawn(
  'dnsmasq',
  [
    ...[
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--port=0',
      '--user=root',
      '--log-facility=-',
      '--pid-file=',
    ],
    ...['--enable-tftp', `--tftp-root=${directory}`, '--listen-address=127.0.0.1', '--bind-interfaces'],
  ],
  { stdio: ['ignore', 'ignore', 'pipe'] },
)
let said = ''
await new Promise<void>((resolve, reject) => {
  theirs.on('close', (code) => reject(new Error(`dnsmasq ended with ${code}: ${said}`)))
  theirs.stderr.on('data', (part: Buffer) => {
    said += part.toString()
    if (said.includes('TFTP root')) resolve()
  })
})
const ours = new TftpServer({
  host: '127.0.0.1',
  port: 0,
  nowMs: () => performance.now(),
  log: () => {},
  fact: () => {},
})
const ourPort = await ours.listen()
ours.setFiles(new Map([['program', file]]))

async function measure(server: Packets['server'], windowsize: number): Promise<Packets> {
  const runs = await Promise.all(
    Array.from({ length: transfers }, async (_, seed) => {
      const relay = await lossyRelay(
        server === 'dnsmasq' ? 69 : ourPort,
        loss,
        1000 + seed,
        `127.0.${windowsize}.${seed + 1}`,
      )
      const options = { blksize: 1024, ...(windowsize > 1 ? { windowsize } : {}) }
      const got = await tftpGet({ port: relay.port, name: 'program', options })
      relay.close()
      return { ...relay.counts, isWhole: got.bytes.equals(file) }
    }),
  )
  return {
    server,
    windowsize,
    sent: runs.reduce((sum, { fromClient, fromServer }) => sum + fromClient + fromServer, 0),
    lost: runs.reduce((sum, { lost }) => sum + lost, 0),
    whole: runs.filter(({ isWhole }) => isWhole).length,
  }
}

async function measureCurl(server: CurlTimes['server']): Promise<CurlTimes> {
  const runs = await Promise.all(
    Array.from({ length: transfers }, async (_, seed) => {
      const port = server === 'dnsmasq' ? 69 : ourPort
      const relay = await lossyRelay(port, loss, 2000 + seed, `127.0.2.${seed + 1}`)
      const got = join(directory, `${server}-${seed}`)
      const beganMs = performance.now()
      await promisify(execFile)('curl', ['-sS', '-o', got, `tftp://127.0.0.1:${relay.port}/program`])
      const tookMs = performance.now() - beganMs
      relay.close()
      return { seconds: Math.round(tookMs / 100) / 10, isWhole: readFileSync(got).equals(file) }
    }),
  )
  return {
    server,
    seconds: runs.map(({ seconds }) => seconds).sort((a, b) => a - b),
    whole: runs.filter(({ isWhole }) => isWhole).length,
  }
}

const servers = ['bootswarm', 'dnsmasq'] as const
const [packets, curl] = await Promise.all([
  Promise.all(servers.flatMap((server) => [1, 16].map((window) => measure(server, window)))),
  Promise.all(servers.map(measureCurl)),
])
process.stdout.write(JSON.stringify({ packets, curl } satisfies BesideDnsmasq))
ours.close()
theirs.removeAllListeners('close')
theirs.kill()
rmSync(directory, { recursive: true })
