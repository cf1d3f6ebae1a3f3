/** Whether this process may listen on ports below 1024, read from /proc without opening one. */

import { readFileSync } from 'node:fs'

/** CAP_NET_BIND_SERVICE of `linux/capability.h`. */
const netBindService = 1n << 10n
const lowestPort = 67

/** True if unknown: opening the port will show it. */
export function mayOpenLowPorts(
  read = (file: string) => readFileSync(file, 'latin1'),
  uid = process.getuid?.(),
): boolean {
  if (uid === 0) return true
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read('/proc/self/status'))?.[1]
    if (effective === undefined || (BigInt(`0x${effective}`) & netBindService) !== 0n) return true
    return Number(read('/proc/sys/net/ipv4/ip_unprivileged_port_start')) <= lowestPort
  } catch {
    return true
  }
}
