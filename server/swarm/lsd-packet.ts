/** The datagram of BEP 14 (local service discovery): text <-> values, strict and bounded. */

/** The multicast group and port of BEP 14. */
export const lsdGroup = '239.192.152.143'
export const lsdPort = 6771

const packetBytesMax = 2_048
const infohashesMax = 20

/** Who has or looks for which torrents. */
export interface LsdPacket {
  port: number
  /** 40 lower-case hex digits each, no duplicates, 1 to 20. */
  infohashes: string[]
  /** What the sender put in to know its own packets again. */
  cookie?: string
}

/** Undefined for anything but a well-formed BT-SEARCH; unknown headers are skipped. */
export function parseLsd(bytes: Buffer): LsdPacket | undefined {
  if (bytes.length > packetBytesMax) return undefined
  const [first, ...lines] = bytes.toString('latin1').split('\r\n')
  if (first !== 'BT-SEARCH * HTTP/1.1') return undefined
  let port: number | undefined
  let cookie: string | undefined
  const infohashes = new Set<string>()
  for (const line of lines) {
    if (line === '') break
    const colon = line.indexOf(':')
    if (colon < 0) return undefined
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (name === 'port') {
      if (port !== undefined || !/^[0-9]{1,5}$/.test(value)) return undefined
      port = Number(value)
    } else if (name === 'infohash' && /^[0-9a-fA-F]{40}$/.test(value)) {
      if (infohashes.size < infohashesMax) infohashes.add(value.toLowerCase())
    } else if (name === 'cookie') {
      cookie = value
    }
  }
  if (port === undefined || port < 1 || port > 65_535 || infohashes.size === 0) return undefined
  return { port, infohashes: [...infohashes], ...(cookie === undefined ? {} : { cookie }) }
}

/** As many datagrams as the torrents need. */
export function encodeLsd(packet: LsdPacket): Buffer[] {
  const datagrams: Buffer[] = []
  for (let at = 0; at < packet.infohashes.length; at += infohashesMax) {
    const infohashes = packet.infohashes.slice(at, at + infohashesMax)
    const lines = [
      'BT-SEARCH * HTTP/1.1',
      `Host: ${lsdGroup}:${lsdPort}`,
      `Port: ${packet.port}`,
      ...infohashes.map((infohash) => `Infohash: ${infohash}`),
      ...(packet.cookie === undefined ? [] : [`cookie: ${packet.cookie}`]),
    ]
    datagrams.push(Buffer.from(`${lines.join('\r\n')}\r\n\r\n\r\n`, 'latin1'))
  }
  return datagrams
}
