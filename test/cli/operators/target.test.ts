import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chooseTarget } from '../../../cli/operators/target.js'
import { checkout, scratch } from '../../support/scratch.js'

const choose = (cwd: string, flags: Record<string, string>, env: Record<string, string> = {}) =>
  chooseTarget({ flags: new Map(Object.entries(flags)), env, cwd })

test('on this machine: where the server keeps its data', async (t) => {
  const cwd = scratch(t)
  const here = checkout.replace(/\/$/, '')
  const dirs = async (...args: Parameters<typeof choose> extends [string, ...infer Rest] ? Rest : never) => {
    const target = await choose(cwd, ...args)
    assert.equal(target.kind, 'local')
    return target.kind === 'local' ? target.dataDirs : []
  }
  assert.deepEqual(await dirs({}), [join(cwd, 'data'), join(here, 'data')])
  assert.deepEqual(await dirs({ 'data-dir': 'd' }), [join(cwd, 'd')])
  assert.deepEqual(await dirs({}, { BOOTSWARM_DATA_DIR: '/var/lib/b' }), ['/var/lib/b'])
  mkdirSync(join(cwd, 'etc'))
  writeFileSync(join(cwd, 'etc', 'site.yaml'), 'data_dir: ../there\n')
  assert.deepEqual(await dirs({ config: 'etc/site.yaml' }), [join(cwd, '..', 'there'), join(cwd, 'there')])
  assert.deepEqual(await dirs({}, { BOOTSWARM_CONFIG: 'etc/site.yaml' }), [
    join(cwd, '..', 'there'),
    join(cwd, 'there'),
  ])
  writeFileSync(join(cwd, 'bootswarm.yaml'), 'data_dir: /srv/data\n')
  assert.deepEqual(await dirs({}), ['/srv/data'])
  // What is named on the command line wins over a variable of another machine.
  assert.deepEqual(await dirs({ 'data-dir': '/d' }, { BOOTSWARM_SERVER: 'x', BOOTSWARM_TOKEN: 't' }), ['/d'])
  await assert.rejects(choose(cwd, { config: 'missing.yaml' }), { code: 'CONFIG_UNREADABLE' })
})

test('on another machine: its address, a token and what it is known by', async (t) => {
  const cwd = scratch(t)
  writeFileSync(join(cwd, 'token'), 'bsw_x\n')
  writeFileSync(join(cwd, 'ca.pem'), 'PEM')
  const token = { BOOTSWARM_TOKEN: 'bsw_y' }
  const at = async (server: string) => {
    const target = await choose(cwd, { server }, token)
    return target.kind === 'remote' ? [target.host, target.port] : []
  }
  assert.deepEqual(await at('https://10.1.0.1:8444'), ['10.1.0.1', 8444])
  assert.deepEqual(await at('https://boot.example/'), ['boot.example', 8444])
  assert.deepEqual(await at('https://boot.example:443'), ['boot.example', 443])
  assert.deepEqual(await at('10.1.0.1:9000'), ['10.1.0.1', 9000])
  assert.deepEqual(await at('[fd00::1]'), ['fd00::1', 8444])
  const sha256 = 'AB'.repeat(32)
  assert.deepEqual(
    await choose(
      cwd,
      { server: 'a', 'token-file': 'token', ca: 'ca.pem', fingerprint: `SHA256:${sha256}` },
      token,
    ),
    { kind: 'remote', host: 'a', port: 8444, token: 'bsw_x', ca: 'PEM', keySha256: sha256.toLowerCase() },
  )
  const fromVariables = await choose(cwd, {}, { ...token, BOOTSWARM_SERVER: 'https://b' })
  assert.deepEqual(fromVariables, { kind: 'remote', host: 'b', port: 8444, token: 'bsw_y' })
  await assert.rejects(choose(cwd, { server: 'a' }), { code: 'TOKEN_MISSING', message: /token new/ })
  for (const [flags, message] of [
    [{ server: 'http://a' }, /expected https/],
    [{ server: 'https://a/path' }, /expected https/],
    [{ server: 'https://u:p@a' }, /expected https/],
    [{ server: 'https://' }, /expected https/],
    [{ server: 'a', fingerprint: 'abc' }, /64 hex digits/],
    [{ server: 'a', ca: 'missing' }, /--ca: .*missing/],
    [{ ca: 'ca.pem' }, /--ca goes with --server/],
  ] as const) {
    await assert.rejects(choose(cwd, flags, token), { code: 'USAGE_INVALID', message })
  }
})
