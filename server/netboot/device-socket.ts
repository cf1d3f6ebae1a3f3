/**
 * A UDP socket that receives from one network interface only. A broadcast to 255.255.255.255 does not show where it came in,
 * and Node neither tells (IP_PKTINFO) nor binds a socket to an interface (SO_BINDTODEVICE). So libc opens the socket,
 * called by koffi, and Node reads it: `dgram` takes over a descriptor. Linux alone has the option.
 */

import { createSocket, type Socket } from 'node:dgram'
import { getSystemErrorMap } from 'node:util'
import { BootswarmError } from '../../src/errors.js'
import { socketOptions, udpError } from './udp.js'

/** Of `asm-generic/socket.h` and `bits/socket.h`; the same on all processors that koffi is built for. */
const afInet = 2
const sockDgram = 2
const sockNonblock = 0o4000
const sockCloexec = 0o2000000
const solSocket = 1
const soReuseAddr = 2
const soBindToDevice = 25

const sockaddrBytes = 16

/** What is used of libc. */
interface Libc {
  socket(family: number, type: number, protocol: number): number
  setsockopt(fd: number, level: number, option: number, value: Buffer, bytes: number): number
  bind(fd: number, address: Buffer, bytes: number): number
  close(fd: number): number
  if_nametoindex(name: string): number
  /** Of the call before. */
  errno(): number
}

let loaded: Libc | undefined

/** @throws BootswarmError NETBOOT_FAILED */
async function libc(): Promise<Libc> {
  if (loaded !== undefined) return loaded
  if (process.platform !== 'linux') {
    throw new BootswarmError('NETBOOT_FAILED', `DHCP needs Linux, this is ${process.platform}`)
  }
  try {
    const { default: koffi } = await import('koffi')
    // The one that Node itself runs on, glibc or musl.
    const own = koffi.load(null)
    loaded = {
      socket: own.func('int socket(int family, int type, int protocol)'),
      setsockopt: own.func(
        'int setsockopt(int fd, int level, int option, const void *value, uint32_t bytes)',
      ),
      bind: own.func('int bind(int fd, const void *address, uint32_t bytes)'),
      close: own.func('int close(int fd)'),
      if_nametoindex: own.func('uint32_t if_nametoindex(const char *name)'),
      errno: () => koffi.errno(),
    }
    return loaded
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BootswarmError('NETBOOT_FAILED', `libc cannot be called: ${reason}`, { cause: error })
  }
}

/** A socket at 0.0.0.0 that receives from one interface. */
export interface DeviceSocket {
  readonly socket: Socket
  /** Whether sockets of ours, bound to an address, may be opened beside it on its port. */
  share(isShared: boolean): void
  /** Another interface has the name now (a card that was plugged in again): this socket receives nothing any more. */
  isReplaced(): boolean
}

/**
 * Opens it. Nobody else has the port on this interface then: neither for it alone nor for all.
 *
 * @throws BootswarmError NETBOOT_NOT_ALLOWED, ADDRESS_IN_USE, NETBOOT_FAILED
 */
export async function openDeviceSocket(device: string, port: number): Promise<DeviceSocket> {
  const c = await libc()
  const what = `UDP port ${port} on ${device}`
  const check = (result: number): number => {
    if (result >= 0) return result
    const [code = 'UNKNOWN', message = 'unknown error'] = getSystemErrorMap().get(-c.errno()) ?? []
    throw udpError(Object.assign(new Error(message), { code }), what)
  }
  const fd = check(c.socket(afInet, sockDgram | sockNonblock | sockCloexec, 0))
  let close: () => void = () => c.close(fd)
  const share = (isShared: boolean) => {
    const value = Buffer.from(new Int32Array([isShared ? 1 : 0]).buffer)
    check(c.setsockopt(fd, solSocket, soReuseAddr, value, value.length))
  }
  try {
    const name = Buffer.from(`${device}\0`, 'latin1')
    check(c.setsockopt(fd, solSocket, soBindToDevice, name, name.length))
    check(c.bind(fd, anyAddress(port), sockaddrBytes))
    const socket = createSocket(socketOptions)
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ fd }, () => {
        socket.off('error', reject)
        close = () => socket.close()
        resolve()
      })
    })
    // libuv shares the port of every descriptor that it takes over.
    share(false)
    const index = c.if_nametoindex(device)
    const isReplaced = () => ![0, index].includes(c.if_nametoindex(device))
    return { socket, share, isReplaced }
  } catch (error) {
    close()
    throw error
  }
}

/** `struct sockaddr_in` of 0.0.0.0 and this port. */
function anyAddress(port: number): Buffer {
  const address = Buffer.from(new Uint16Array(sockaddrBytes / 2).fill(afInet, 0, 1).buffer)
  address.writeUInt16BE(port, 2)
  return address
}
