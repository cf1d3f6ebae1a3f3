/**
 * Makes QEMU's network ROM, an iPXE, look like the PXE of a mainboard: on the way out of the machine its DHCP messages
 * lose what iPXE says of itself (options 77 and 175). No free ROM is a plain one. The first program that the ROM loads
 * by TFTP is left alone: from then on it is that program that speaks.
 */
import { mkdtempSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

const ipxeOptions = [77, 175]
const dhcpPort = 67
const proxyPort = 4011
const tftpPort = 69

/** QEMU's arguments that lead what the machine sends on `netdev` through this process. */
export async function plainPxe(t: TestContext, directory: string, netdev: string): Promise<string[]> {
  const sockets = mkdtempSync(join(directory, 'plain-'))
  let back: Socket | undefined
  let isRom = true
  const frame = (bytes: Buffer) => {
    if (isRom && udpPort(bytes) === tftpPort) isRom = false
    if (isRom) forget(bytes)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    back?.write(Buffer.concat([length, bytes]))
  }
  await listen(t, join(sockets, 'out'), (socket) => {
    let held = Buffer.alloc(0)
    socket.on('data', (part: Buffer) => {
      held = Buffer.concat([held, part])
      // Each frame has its length before it.
      while (held.length >= 4 && held.length >= 4 + held.readUInt32BE(0)) {
        const end = 4 + held.readUInt32BE(0)
        frame(held.subarray(4, end))
        held = held.subarray(end)
      }
    })
  })
  await listen(t, join(sockets, 'back'), (socket) => {
    back = socket
  })
  // What a machine sends passes the filters from the last to the first.
  return ['back', 'out'].flatMap((name) => [
    ...['-chardev', `socket,id=${netdev}-${name},path=${join(sockets, name)}`],
    ...[
      '-object',
      `filter-redirector,id=${netdev}-f-${name},netdev=${netdev},queue=rx,${name === 'out' ? 'outdev' : 'indev'}=${netdev}-${name}`,
    ],
  ])
}

function listen(t: TestContext, path: string, connected: (socket: Socket) => void): Promise<Server> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    // The machine is switched off in the middle of a frame.
    socket.on('error', () => {})
    connected(socket)
  })
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return new Promise((resolve) => server.listen(path, () => resolve(server)))
}

const etherBytes = 14

/** Where a frame's UDP header begins; undefined for other frames. */
function udpStart(frame: Buffer): number | undefined {
  if (frame.length < etherBytes + 28 || frame.readUInt16BE(12) !== 0x0800 || frame[etherBytes + 9] !== 17)
    return undefined
  return etherBytes + ((frame[etherBytes] ?? 0) & 15) * 4
}

function udpPort(frame: Buffer): number | undefined {
  const udp = udpStart(frame)
  return udp === undefined ? undefined : frame.readUInt16BE(udp + 2)
}

/** Overwrites iPXE's options with padding (option 0). */
function forget(frame: Buffer): void {
  const udp = udpStart(frame)
  const port = udpPort(frame)
  if (udp === undefined || (port !== dhcpPort && port !== proxyPort)) return
  for (let at = udp + 8 + 240; at + 1 < frame.length && frame[at] !== 255; ) {
    const code = frame[at] ?? 0
    const end = code === 0 ? at + 1 : at + 2 + (frame[at + 1] ?? 0)
    if (ipxeOptions.includes(code)) frame.fill(0, at, end)
    at = end
  }
  // No checksum (RFC 768).
  frame.writeUInt16BE(0, udp + 6)
}
