import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until, untilEqual } from '../../support/processes.js'
import { NetbootSite } from './support.js'

test('the server’s TFTP: programs of a directory, the script with its own address, no way out', async (t) => {
  const place = NetbootSite.make(t, '{mode: proxy, interfaces: [lan0], ipxe_dir: ipxe}', 'user: nobody')
  if (place === undefined) return t.skip('NOT TESTED: needs root')
  const { site, wire } = place
  const program = randomBytes(200_000)
  mkdirSync(join(site.dir, 'ipxe', 'bin-arm64-efi'), { recursive: true })
  chmodSync(join(site.dir, 'ipxe'), 0o755)
  writeFileSync(join(site.dir, 'ipxe', 'undionly.kpxe'), program)
  writeFileSync(join(site.dir, 'ipxe', 'bin-arm64-efi', 'snponly.efi'), program)
  writeFileSync(join(site.dir, 'ipxe', 'secret'), 'secret')
  wire.client('a', '52:54:00:00:00:01')
  wire.run('a', 'ip', 'address', 'add', '10.77.0.20/24', 'dev', 'eth0')
  const server = await place.start()
  const missing = await server.line('netboot.programs-missing')
  assert.match(
    missing.msg,
    /x64\/snponly\.efi, x64\/ipxe\.efi; .* put them into .*ipxe \(netboot\.ipxe_dir\)/,
  )

  const get = (name: string) => {
    const file = join(site.dir, 'got')
    wire.run('a', 'curl', '-sS', '--path-as-is', '--max-time', '300', '-o', file, `tftp://10.77.0.1/${name}`)
    return readFileSync(file)
  }
  for (const name of ['bios/undionly.kpxe', 'undionly.kpxe', 'arm64/snponly.efi', 'snponly-arm64.efi'])
    assert.ok(get(name).equals(program), name)
  for (const name of ['autoexec.ipxe', 'x64/autoexec.ipxe'])
    assert.match(
      get(name).toString(),
      new RegExp(`chain .* http://10\\.77\\.0\\.1:${server.ports().http}/v1/ipxe/script/`),
    )
  for (const name of ['secret', 'ipxe/secret', '../ipxe/secret', 'x64/snponly.efi', '/etc/hostname'])
    assert.throws(() => get(name), /curl: \(68\)/, name)
  // The last acknowledgement is counted after the client has ended, and the process reports once a second.
  await untilEqual(
    'the counters',
    () => {
      const { completed, transfers, refused } = place.status(server).netboot.services.tftp ?? {}
      return { completed, transfers, refused }
    },
    { completed: 6, transfers: 0, refused: 5 },
  )

  // Its process dies: the next one serves the same.
  const owner = /pid=(\d+)/.exec(wire.server('ss', '-Hlnpu', 'sport = :69'))?.[1]
  process.kill(Number(owner), 'SIGKILL')
  await server.line('netboot.exited')
  await until(
    'it to run again',
    async () => place.status(server).netboot.services.tftp?.completed === 0 || undefined,
  )
  assert.ok(get('undionly.kpxe').equals(program))
})
