/** Text that a node, a client or a file name brings into the real server's log, status and answers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask } from '../http/support.js'
import { Site } from './support.js'

const boot = '0011223344556677'
/** What forged a line, set the terminal's title, filled its clipboard and cleared its screen. */
const evil =
  'x\n{"level":"info","event":"node.boot.completed","msg":"forged"}\r\u001b]0;owned\u0007\u001b]52;c;aGk=\u0007\u001b[2J\u009b2J\u202e\u2028\u200b'

for (const format of ['json', 'pretty']) {
  test(`no text from the network or a file name leaves its line of a ${format} log`, async (t) => {
    const place = new Site(`log: {level: debug, format: ${format}}`)
    t.after(() => place.end())
    writeFileSync(place.artifact(`plugins/${evil.replaceAll('/', '')}`), 'x')
    writeFileSync(join(place.artifact('rootfs'), 'bad\u001b[2J\u009b.tar.gz'), 'x')
    const server = place.start()
    await server.said((line) => /READY/.test(line.msg))
    const event = (seq: number, type: string, data: object) => ({ boot, seq, t_ms: 1, type, data })
    const events = [
      event(0, 'boot.started', {
        agent: evil,
        mem_total_bytes: 1,
        note: evil,
        [evil]: evil,
        event: 'x',
        node: 'y',
      }),
      event(1, 'peer.banned', { addr: evil, code: evil }),
      event(2, 'boot.failed', { code: evil, message: evil, retry_in_s: 1, level: 'info', msg: 'forged' }),
    ]
    const answer = await server.post('/v1/nodes/rig-1/events', JSON.stringify(events))
    assert.equal(answer.status, 204, answer.body.toString())
    const { http } = server.ports()
    const failed = [event(0, 'boot.failed', { code: evil, message: evil, retry_in_s: 1 })]
    await ask(http, '/v1/nodes/rig-2/events', { method: 'POST', body: JSON.stringify(failed) })
    await ask(http, `/announce?info_hash=%1b%5b2J&peer_id=%0a%1b`, { headers: { 'user-agent': 'a\u009b2J' } })
    await ask(http, `/v1/ipxe/script/${encodeURIComponent(evil)}`)
    // Node.js' own client refuses to send these.
    const raw = connect(http, '127.0.0.1')
    raw.end(`GET /boot/\u001b[2J\u009b HTTP/1.1\r\nHost: \u001b\r\n\r\n`, 'latin1')
    raw.resume()
    await once(raw, 'close')
    await server.said((line) => /rig-1 did not boot/.test(line.msg))
    await server.said((line) => /rig-2 at .* says over plain HTTP/.test(line.msg))
    await server.said((line) => /passed over|control characters/.test(line.msg))
    const status = (await ask(http, '/v1/status')).body.toString()
    assert.match(status, /bad\\u001b|bad\\\\u001b/)
    await server.kill('SIGTERM')
    for (const [name, text] of [
      ['log', server.stdout],
      ['status', status],
      ['standard error', server.stderr],
    ] as const) {
      const found = /(?!\n)[\p{C}\p{Zl}\p{Zp}]/u.exec(text)
      assert.equal(
        found,
        null,
        `${name}: ${JSON.stringify(text.slice(Math.max(0, (found?.index ?? 0) - 200)).slice(0, 300))}`,
      )
    }
    for (const line of server.stdout.split('\n').slice(0, -1)) {
      if (format === 'pretty') assert.match(line, /^\[\d\d:\d\d:\d\d\] [A-Z]+: /)
      else assert.match(line, /^\{"level":"[a-z]+","time":"/)
    }
    assert.ok(!server.lines.some(({ event }) => event === 'node.boot.completed' || event === 'x'))
  })
}
