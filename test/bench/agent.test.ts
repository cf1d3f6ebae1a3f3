/** The bench of single clients goes on when one of them fails: real agents, and clients that break. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { agentContestant, type Contestant } from '../../bench/agent/clients.js'
import { runMeasured, startService } from '../../bench/agent/measure.js'
import { runBench } from '../../bench/agent/rounds.js'
import { Samples, table } from '../../bench/agent/samples.js'
import { agentPath } from '../../host/agent-binary.js'
import { isAlive } from '../server/main/processes.js'
import { until } from '../support/processes.js'
import { scratch } from '../support/scratch.js'

/** Shakes hands, sends 200,000 bytes of one block after the other, and closes: as aria2 does to one leecher of eight. */
const closing = `
const server = require('net').createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', (hello) => {
    socket.write(Buffer.concat([hello.subarray(0, 68), Buffer.from([0, 0, 0, 1, 1])]))
    const block = Buffer.alloc(16393 + 4)
    block.writeUInt32BE(16393)
    block[4] = 7
    for (let sent = 0; sent < 200_000; sent += 16_384) socket.write(block)
    socket.end()
  })
})
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port))
`

const breaking: Contestant = {
  name: 'breaking',
  fetch: () => runMeasured('sh', ['-c', 'echo "no such peer" >&2; exit 3']),
  seed: async () => {
    let port = 0
    const ready = /^port (\d+)$/
    const child = await startService(process.execPath, ['-e', closing], {
      test: (line: string) => {
        port = Number(ready.exec(line)?.[1] ?? 0)
        return port > 0
      },
    })
    return { child, port }
  },
}

test('a client that fails is a result with its reason, and the others are measured', async (t) => {
  const agent = agentContestant(agentPath())
  const said: string[] = []
  const rows = await runBench({
    directory: scratch(t),
    sizeBytes: 3_000_000,
    rounds: 2,
    contestants: [breaking, agent],
    seeder: agent,
    log: (line) => said.push(line),
  })
  assert.deepEqual(
    rows.map(({ scenario, client, failed }) => [scenario, client, failed]),
    ['download from 1', 'download from 8', 'upload to 8'].flatMap((scenario) => [
      [scenario, 'breaking', 2],
      [scenario, 'bootswarm-agent', 0],
    ]),
    said.join('\n'),
  )
  for (const { client, mbPerSecond, why } of rows) {
    if (client === 'breaking') assert.equal(mbPerSecond, null)
    else assert.ok((mbPerSecond ?? 0) > 0 && why === '')
  }
  assert.match(rows[0]?.why ?? '', /^sh ended with 3: no such peer$/)
  assert.match(rows[4]?.why ?? '', /^8 of 8 leechers: closed after \d+ of 3000000 bytes; /)
})

test('a seeder that does not start fails all who would download from it', async (t) => {
  const agent = agentContestant(agentPath())
  const rows = await runBench({
    directory: scratch(t),
    sizeBytes: 1_000_000,
    rounds: 1,
    contestants: [agent],
    seeder: { ...agent, seed: () => Promise.reject(new Error('no seeder here')) },
    log: () => {},
  })
  assert.deepEqual(
    rows.map(({ failed, why }) => [failed, why]),
    [
      [1, 'no seeder here'],
      [1, 'no seeder here'],
      [0, ''],
    ],
  )
})

test('a program that hangs is ended with what it started, and has failed', async (t) => {
  const file = join(scratch(t), 'pid')
  await assert.rejects(runMeasured('sh', ['-c', `sleep 600 & echo $! > ${file}; wait`], 2000), {
    message: 'sh was not done after 2 s',
  })
  const pid = Number(readFileSync(file, 'utf8'))
  await until('what it started to end', async () => !isAlive(pid) || undefined)
})

test('medians are of the good rounds; the table says what failed', () => {
  const samples = new Samples()
  for (const mbPerSecond of [100, 300])
    samples.add('upload', 'a', { mbPerSecond, cpuSecondsPerGb: 1, peakMb: 5 })
  samples.fail('upload', 'a', 'closed\nafter | 3')
  samples.fail('upload', 'b', 'gone')
  samples.fail('upload', 'b', 'gone')
  assert.deepEqual(table(samples.rows()).split('\n').slice(2), [
    '| upload | a | 200 | 1.00 | 5.0 | failed: closed after / 3 |',
    '| upload | b | - | - | - | failed 2 times: gone |',
  ])
})
