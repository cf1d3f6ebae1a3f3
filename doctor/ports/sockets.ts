/** Which process listens on which port, from /proc/net and /proc/PID. The parsing is pure. */

import { readdir, readFile, readlink } from 'node:fs/promises'

/** A socket that takes connections or datagrams. */
export interface Listener {
  readonly proto: 'udp' | 'tcp'
  /** IP address; 0.0.0.0 or :: for all. */
  readonly address: string
  readonly port: number
  readonly uid: number
  readonly inode: number
}

/** A process. */
export interface Holder {
  readonly pid: number
  readonly parent: number
  /** At most 15 characters (comm). */
  readonly name: string
  /** Its systemd unit; empty if it has none. */
  readonly unit: string
}

const tables = ['udp', 'udp6', 'tcp', 'tcp6'] as const
/** State of /proc/net/tcp: listening. */
const tcpListen = '0A'

/** All listeners of this network namespace. */
export async function readListeners(): Promise<Listener[]> {
  const parts = await Promise.all(
    tables.map(async (table) => {
      const text = await readFile(`/proc/net/${table}`, 'latin1').catch(() => '')
      return parseSockets(text, table.startsWith('udp') ? 'udp' : 'tcp')
    }),
  )
  return parts.flat()
}

/** Reads one table of /proc/net. */
function parseSockets(text: string, proto: 'udp' | 'tcp'): Listener[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/)
      const [, local = '', remote = '', state = ''] = fields
      const [address = '', port = ''] = local.split(':')
      // A connected UDP socket is a transfer of TFTP, no listener.
      const isListening = proto === 'tcp' ? state === tcpListen : remote.endsWith(':0000')
      if (address === '' || port === '' || !isListening) return []
      return [
        {
          proto,
          address: addressOf(address),
          port: Number.parseInt(port, 16),
          uid: Number(fields[7]),
          inode: Number(fields[9]),
        },
      ]
    })
}

/** Words of 32 bits in the machine's order; all machines that run this are little endian. */
function addressOf(hex: string): string {
  const bytes = hex.match(/.{8}/g)?.flatMap((word) => (word.match(/../g) ?? []).reverse()) ?? []
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
  if (bytes.every((byte) => byte === '00')) return '::'
  return bytes.join('').match(/.{4}/g)?.join(':') ?? ''
}

/** The processes that hold these sockets; those of other users are seen by root alone. */
export async function findHolders(inodes: ReadonlySet<number>): Promise<Map<number, Holder>> {
  const found = new Map<number, Holder>()
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))
  for (const pid of pids) {
    for (const inode of await socketsOf(pid)) {
      if (!inodes.has(inode) || found.has(inode)) continue
      const holder = await describe(Number(pid))
      if (holder !== undefined) found.set(inode, holder)
    }
  }
  return found
}

async function socketsOf(pid: string): Promise<number[]> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')))
  return links.flatMap((link) => {
    const inode = /^socket:\[([0-9]+)\]$/.exec(link)?.[1]
    return inode === undefined ? [] : [Number(inode)]
  })
}

/** A process by its id; undefined if it has gone. */
export async function describe(pid: number): Promise<Holder | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const match = /^[0-9]+ \((.*)\) \S ([0-9]+) /s.exec(stat)
  if (match === null) return undefined
  const cgroup = await readFile(`/proc/${pid}/cgroup`, 'latin1').catch(() => '')
  const unit = /\/([A-Za-z0-9@:._-]+\.service)(?:\/|$)/m.exec(cgroup)?.[1] ?? ''
  return { pid, parent: Number(match[2]), name: (match[1] ?? '').replace(/[^\x20-\x7e]/g, '?'), unit }
}
