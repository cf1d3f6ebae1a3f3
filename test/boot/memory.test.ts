/** What one node needs beside the payload, for archives as the usual tools make them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { residentPeakMb, startAgent, startServer } from '../support/processes.js'
import { scratch } from '../support/scratch.js'

/** The budget, megabytes of 10^6 bytes, held to the byte. */
const residentMbMax = 12

/** More than a decoder's dictionary of 8 MiB, so that all of it is in use. Machine code compresses like a root file system. */
const unpackedBytes = 14_000_000

for (const [name, compressor] of [
  ['rootfs.tar.gz', 'gzip -9'],
  ['rootfs.tar.zst', 'zstd -q -19'],
  ['rootfs.tar.xz', 'xz -6'],
] as const) {
  test(`unpacking what ${compressor} made stays within ${residentMbMax} MB`, async (t) => {
    const directory = scratch(t)
    const root = join(directory, 'stage')
    const rootfs = join(directory, 'artifacts', 'rootfs')
    for (const path of [root, rootfs]) mkdirSync(path, { recursive: true })
    const content = readFileSync(process.execPath).subarray(0, unpackedBytes)
    assert.equal(content.length, unpackedBytes)
    writeFileSync(join(root, 'code'), content)
    mkdirSync(join(root, 'sbin'))
    writeFileSync(join(root, 'sbin/init'), '#!/bin/sh\n', { mode: 0o755 })
    execFileSync('tar', ['-C', root, '-I', compressor, '-cf', join(rootfs, name), 'code', 'sbin/init'])
    const server = await startServer(t, directory)
    const target = join(directory, 'node')
    mkdirSync(target)
    const agent = startAgent(t, {
      node: 'rig1',
      target,
      server: server.url,
      trust: join(server.dataDir, 'trust'),
      bind: '127.0.1.1',
    })
    await agent.event('boot.completed')
    assert.deepEqual(readFileSync(join(target, 'code')), content)
    const resident = residentPeakMb(agent.child.pid ?? 0)
    assert.ok(resident > 1 && resident <= residentMbMax, `${resident.toFixed(2)} MB resident`)
  })
}
