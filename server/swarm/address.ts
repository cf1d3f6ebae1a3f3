/** Addresses as sockets report them, made comparable. */

/** `::ffff:192.0.2.1` becomes `192.0.2.1`, a zone (`%eth0`) goes, hex digits are lower case. */
export function plainAddress(address: string): string {
  const lower = address.toLowerCase()
  const zone = lower.indexOf('%')
  const bare = zone < 0 ? lower : lower.slice(0, zone)
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice(7) : bare
}
