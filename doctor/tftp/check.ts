/** The check of TFTP: asks the running server for a boot program's size, as firmware does first, and breaks it off. */

import type { RemoteInfo } from 'node:dgram'
import { setTimeout } from 'node:timers/promises'
import { tftpFile } from '../../server/netboot/boot-choice.js'
import { errorPacket } from '../../server/netboot/tftp-packet.js'
import { openUdp } from '../../server/netboot/udp.js'
import { formatIpv4 } from '../../src/ipv4.js'
import { makeCheck, type Site } from '../check.js'
import { type Finding, finding } from '../finding.js'

/** What came back from each of our addresses. */
export interface TftpFacts {
  readonly asked: readonly {
    readonly name: string
    readonly address: string
    readonly hasAnswered: boolean
  }[]
}

const tftpPort = 69
const readRequest = 1
/** The first may be lost where the address has to be asked for by ARP. */
const tries = 3
const answerMs = 2_000

export const tftpCheck = makeCheck<TftpFacts>({
  name: 'tftp',
  title: 'whether TFTP answers',
  gather,
  judge: judgeTftp,
})

/** An error counts as an answer: which programs are missing is another check's business. */
function judgeTftp({ asked }: TftpFacts): Finding[] {
  return asked
    .filter(({ hasAnswered }) => !hasAnswered)
    .map(({ name, address }) =>
      finding(
        'TFTP_SILENT',
        `${name}: the server runs, but TFTP does not answer at ${address}`,
        'see the other findings (firewall, ports) and the log',
      ),
    )
}

async function gather({ served, server, mode }: Site) {
  if (server === undefined || mode === 'off') return { facts: undefined, leftOut: [] }
  const asked = await Promise.all(
    served.map(async ({ name, address }) => ({
      name,
      address: formatIpv4(address),
      hasAnswered: await answers(formatIpv4(address)),
    })),
  )
  return { facts: { asked }, leftOut: [] }
}

async function answers(address: string): Promise<boolean> {
  const socket = await openUdp({ address: '0.0.0.0', port: 0 })
  try {
    const words = [tftpFile('bios'), 'octet', 'tsize', '0']
    const request = Buffer.concat([
      Buffer.from([0, readRequest]),
      Buffer.from(`${words.join('\0')}\0`, 'latin1'),
    ])
    const ended = new AbortController()
    let hasAnswered = false
    socket.on('error', () => {})
    socket.on('message', (_bytes: Buffer, { address: from, port }: RemoteInfo) => {
      hasAnswered = true
      socket.send(errorPacket(0, 'only asking'), port, from, () => ended.abort())
    })
    for (let attempt = 0; attempt < tries && !hasAnswered; attempt++) {
      socket.send(request, tftpPort, address, () => {})
      await setTimeout(answerMs / tries, undefined, { signal: ended.signal }).catch(() => {})
    }
    return hasAnswered
  } finally {
    socket.close()
  }
}
