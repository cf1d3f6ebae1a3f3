/** The contestants: how each fetches a torrent from given peers, and how each seeds it. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type Cost, freePort, runMeasured, startService } from './measure.js'
import type { Payload } from './payload.js'

/** A BitTorrent client as the bench sees it. */
export interface Contestant {
  readonly name: string
  /** Fetches into `directory` from peers on these ports of loopback, verifying each piece, and ends. */
  fetch(payload: Payload, directory: string, peerPorts: readonly number[]): Promise<Cost>
  /** Seeds until it is killed; resolves when it accepts connections. */
  seed(payload: Payload): Promise<{ child: ChildProcess; port: number }>
}

/** Our own agent. */
export function agentContestant(agent: string): Contestant {
  return {
    name: 'bootswarm-agent',
    fetch: async (payload, directory, peerPorts) => {
      const peers = peerPorts.flatMap((port) => ['--peer', `127.0.0.1:${port}`])
      const out = ['-o', join(directory, payload.name), '--bind', '127.0.0.1']
      return runMeasured(agent, ['fetch', payload.torrentFile, ...out, ...peers])
    },
    seed: async (payload) => {
      const port = await freePort()
      const data = ['--data', join(payload.directory, payload.name), '--bind', '127.0.0.1']
      const child = await startService(
        agent,
        ['seed', payload.torrentFile, ...data, '--port', `${port}`],
        /port \d+/,
      )
      await accepts(port)
      return { child, port }
    },
  }
}

/** libtorrent 2 through Debian's python3-libtorrent. */
export function libtorrentContestant(script: string): Contestant {
  const python = '/usr/bin/python3'
  return {
    name: 'libtorrent',
    fetch: async (payload, directory, peerPorts) => {
      const port = await freePort()
      return runMeasured(python, [
        script,
        'fetch',
        payload.torrentFile,
        directory,
        `${port}`,
        ...peerPorts.map(String),
      ])
    },
    seed: async (payload) => {
      const port = await freePort()
      const args = [script, 'seed', payload.torrentFile, payload.directory, `${port}`]
      const child = await startService(python, args, /^ready$/)
      await accepts(port)
      return { child, port }
    },
  }
}

/** aria2, which takes peers from a tracker only. */
export function aria2Contestant(): Contestant {
  const quiet = ['--enable-dht=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false', '--no-conf']
  const tuned = ['--file-allocation=none', '--bt-max-peers=0', '--disk-cache=64M', '--follow-torrent=false']
  return {
    name: 'aria2',
    fetch: async (payload, directory, peerPorts) => {
      const tracker = await startTracker(peerPorts)
      const port = await freePort()
      try {
        return await runMeasured('aria2c', [
          ...quiet,
          ...tuned,
          `--bt-tracker=http://127.0.0.1:${tracker.port}/announce`,
          `--listen-port=${port}`,
          '--seed-time=0',
          `--dir=${directory}`,
          `--torrent-file=${payload.torrentFile}`,
        ])
      } finally {
        tracker.server.close()
      }
    },
    seed: async (payload) => {
      for (let tries = 1; ; tries++) {
        const port = await freePort()
        const child = await startService(
          'aria2c',
          [
            ...quiet,
            ...tuned,
            '--bt-seed-unverified=true',
            '--seed-ratio=0.0',
            `--listen-port=${port}`,
            `--dir=${payload.directory}`,
            `--torrent-file=${payload.torrentFile}`,
            '--console-log-level=notice',
          ],
          /listening on TCP port|SEED|IPv4 BitTorrent/,
        )
        try {
          await accepts(port)
          return { child, port }
        } catch (error) {
          // A connection of the bench may have taken the port meanwhile; aria2 then runs on without one.
          child.kill('SIGKILL')
          if (tries === 3) throw error
        }
      }
    },
  }
}

/** Answers every announce with the same peers (BEP 23). */
async function startTracker(peerPorts: readonly number[]): Promise<{ server: Server; port: number }> {
  const peers = Buffer.alloc(peerPorts.length * 6)
  for (const [index, port] of peerPorts.entries()) {
    peers.set([127, 0, 0, 1], index * 6)
    peers.writeUInt16BE(port, index * 6 + 4)
  }
  const body = Buffer.concat([Buffer.from(`d8:intervali60e5:peers${peers.length}:`), peers, Buffer.from('e')])
  const server = createServer((_request, response) => response.end(body))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return { server, port: typeof address === 'object' && address ? address.port : 0 }
}

/** Waits until a port takes connections; gives up after ten seconds. */
async function accepts(port: number): Promise<void> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const ok = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (ok) return
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
