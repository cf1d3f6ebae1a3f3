/** Six requests for the artifact at once over TLS, and hung up before, at or after the first answer, from each address. */
import { connect as connectTls } from 'node:tls'
import { count, pause, target } from '../client/attacker.js'
import { atServer, connect } from '../client/connections.js'
import { ports } from '../target.js'

const requests = `GET ${target.artifactPath} HTTP/1.1\r\nHost: siege\r\n\r\n`.repeat(6)
const againMs = 50
/** When to hang up: as soon as the requests are sent, at the first answer, or so long after it, milliseconds. */
const moments = ['sent', 0, 5, 50, 500] as const

function once(localAddress: string, moment: (typeof moments)[number]): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(atServer(ports.https), false, localAddress)
    const secure = connectTls({ socket, rejectUnauthorized: false })
    secure.on('error', () => socket.destroy())
    secure.once('secureConnect', () =>
      secure.write(requests, () => {
        if (moment === 'sent') socket.destroy()
      }),
    )
    secure.once('data', (bytes: Buffer) => {
      count(bytes.toString('latin1', 0, 12))
      secure.pause()
      setTimeout(() => socket.destroy(), moment === 'sent' ? 0 : moment)
    })
    socket.once('close', resolve)
  })
}

for (const address of target.addresses) {
  void (async () => {
    for (let turn = 0; ; turn += 1) {
      await once(address, moments[turn % moments.length] ?? 0)
      await pause(againMs)
    }
  })()
}
