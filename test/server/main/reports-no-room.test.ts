/** Nodes report while the disk of the data directory is full: a small tmpfs in a mount namespace of the server's own. */
import assert from 'node:assert/strict'
import { closeSync, copyFileSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { hangMs } from '../../support/limits.js'
import { until } from '../../support/processes.js'
import { tarball } from '../catalog/support.js'
import { type Answer, ask, codeOf } from '../http/support.js'
import { needsRoot } from './processes.js'
import { type Daemon, Site } from './support.js'

const boot = '0011223344556677'
const nodes = Array.from({ length: 40 }, (_, n) => `rig-${n}`)
const eventsEach = 30

/** A node with so many events, which it sends one after the other, each again until it is taken. */
class Node {
  readonly id: string
  readonly acknowledged: number[] = []
  readonly #server: Daemon
  #next = 0

  constructor(server: Daemon, id: string) {
    this.#server = server
    this.id = id
  }

  get isDone(): boolean {
    return this.#next === eventsEach
  }

  async post(): Promise<Answer> {
    const seq = this.#next
    const data = { code: 'IO', message: 'x'.repeat(500), retry_in_s: 1 }
    const body = JSON.stringify([{ boot, seq, t_ms: seq, type: 'boot.failed', data }])
    const answer = await this.#server.post(`/v1/nodes/${this.id}/events`, body)
    if (answer.status === 204) {
      this.acknowledged.push(seq)
      this.#next += 1
    }
    return answer
  }
}

test('a full disk: reports are refused and sent again, all else is answered, nothing acknowledged is lost', {
  ...needsRoot,
  timeout: hangMs,
}, async (t) => {
  const place = new Site('log: {level: info}')
  t.after(() => place.end())
  mkdirSync(place.data)
  const mount = `mount -t tmpfs -o size=24m,mode=777 tmpfs "$0" && exec "$@"`
  place.command = ['unshare', '-m', 'sh', '-c', mount, place.data, ...place.command]
  writeFileSync(place.artifact('rootfs/base.tar.gz'), await tarball('a', 'a'))
  const server = place.start()
  await server.line('server.ready')
  await server.line('catalog.published')
  const inside = join('/proc', String(server.pid), 'root')
  server.dataDir = join(inside, place.data)
  const reporting = nodes.map((id) => new Node(server, id))
  for (const node of reporting) assert.equal((await node.post()).status, 204)

  const filler = join(inside, place.data, 'filler')
  fill(filler)
  const { http } = server.ports()
  // All at once, and again, until the database has no page left and each node was refused.
  const refused = new Set<string>()
  await until('every node is refused', async () => {
    const answers = await Promise.all(
      reporting.map(async (node) => (node.isDone ? undefined : { node, answer: await node.post() })),
    )
    for (const { node, answer } of answers.flatMap((one) => one ?? [])) {
      if (answer.status === 204) continue
      assert.equal(answer.status, 503, answer.body.toString())
      assert.equal(codeOf(answer), 'REPORTS_NOT_SAVED')
      assert.match(answer.headers['retry-after'] ?? '', /^[1-9][0-9]?$/)
      refused.add(node.id)
    }
    // Others are served between the reports, known ones and new ones.
    assert.equal((await ask(http, '/healthz')).status, 200)
    assert.equal((await server.manifest('rig-1', boot)).version, 1)
    assert.equal((await server.manifest(`new-${refused.size}`)).version, 1)
    return refused.size === nodes.length ? true : undefined
  })
  const status = JSON.parse((await ask(http, '/v1/status')).body.toString())
  assert.deepEqual(
    status.failing.map(({ part, code }: { part: string; code: string }) => [part, code]),
    [['saving reports of nodes', 'DATABASE_FAILED']],
  )
  assert.ok(status.reports.refused >= nodes.length)
  assert.ok(
    status.reports.waiting <= nodes.length,
    'what is taken in by the first refused group, and no more',
  )

  rmSync(filler)
  await until('every report is taken', async () => {
    const left = reporting.filter((node) => !node.isDone)
    const answers = await Promise.all(left.map((node) => node.post()))
    if (answers.some(({ status }) => status === 503)) await setTimeout(100)
    return left.length === 0 ? true : undefined
  })
  const parts = server.lines.flatMap(({ event, msg }) => (event?.startsWith('part.') ? [msg] : []))
  assert.equal(parts.length, 2, parts.join('\n'))
  assert.match(parts[0] ?? '', /^saving reports of nodes failed, trying again: .*full/)
  assert.equal(parts[1], 'saving reports of nodes works again')
  const after = JSON.parse((await ask(http, '/v1/status')).body.toString())
  assert.deepEqual([after.failing, after.reports.waiting], [[], 0])
  // SQLite does not find its way through /proc/PID/root. Nobody writes any more.
  const copy = join(place.top, 'copy.sqlite')
  for (const suffix of ['', '-wal']) {
    copyFileSync(join(server.dataDir, `bootswarm.sqlite${suffix}`), `${copy}${suffix}`)
  }
  const db = new Sqlite(copy)
  t.after(() => db.close())
  const seqs = db.prepare<[string], { seq: number }>(
    'SELECT seq FROM timeline WHERE node = ? AND seq IS NOT NULL ORDER BY seq',
  )
  for (const { id, acknowledged } of reporting) {
    assert.deepEqual(
      seqs.all(id).map(({ seq }) => seq),
      acknowledged,
    )
  }
})

/** Writes until the disk is full. */
function fill(file: string): void {
  const fd = openSync(file, 'w')
  try {
    for (const size of [64 * 1024, 1024]) {
      for (;;) {
        try {
          if (writeSync(fd, Buffer.alloc(size)) < size) break
        } catch (error) {
          assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
          break
        }
      }
    }
  } finally {
    closeSync(fd)
  }
}
