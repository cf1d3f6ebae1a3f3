/** The commands that ask a server, as processes of their own, and a real server. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ask } from '../../server/http/support.js'
import { needsRoot } from '../../server/main/processes.js'
import { type Daemon, Site } from '../../server/main/support.js'
import { until } from '../../support/processes.js'

const program = fileURLToPath(new URL('../../../cli/bootswarm.js', import.meta.url))

async function started(t: TestContext, extra = ''): Promise<{ place: Site; server: Daemon }> {
  const place = new Site(extra)
  t.after(() => place.end())
  const server = place.start()
  await server.line('server.ready')
  return { place, server }
}

interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs a command to its end. */
function run(
  cwd: string,
  args: readonly string[],
  more: { env?: Record<string, string>; through?: readonly string[]; uid?: number } = {},
): Promise<Run> {
  const [command = '', ...before] = [...(more.through ?? []), process.execPath]
  const child = spawn(command, [...before, program, ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: cwd, ...more.env },
    ...(more.uid === undefined ? {} : { uid: more.uid, gid: more.uid }),
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (part: Buffer) => {
    out += part.toString()
  })
  child.stderr.on('data', (part: Buffer) => {
    err += part.toString()
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })))
}

const boot = '00112233445566aa'
async function report(server: Daemon, node: string, ...events: object[]): Promise<void> {
  const posted = events.map((event, seq) => ({ boot, seq, t_ms: seq * 100, ...event }))
  assert.ok((await server.post(`/v1/nodes/${node}/events`, JSON.stringify(posted))).status < 300)
}
const begun = { type: 'boot.started', data: { agent: '1.0', mem_total_bytes: 1e9 } }
const failed = {
  type: 'boot.failed',
  data: { code: 'MEMORY_SHORT', message: 'too \u001b[31m little', retry_in_s: 5 },
}

test('status is ten lines, also as JSON', async (t) => {
  const { place } = await started(t, 'site: lab')
  const { code, out } = await run(place.dir, ['status'])
  assert.equal(code, 0)
  assert.equal(out.trimEnd().split('\n').length, 10)
  assert.match(out, /^site +lab, bootswarm /m)
  assert.match(out, /^nodes +0$/m)
  assert.match(out, /^operators +https:\/\/127\.0\.0\.1:\d+, key [0-9a-f]{64}$/m)
  assert.equal(JSON.parse((await run(place.dir, ['status', '--json'])).out).site, 'lab')
})

test('nodes are listed, shown, labelled and forgotten, by hostlist and by condition', async (t) => {
  const { place, server } = await started(t, 'racks: [{name: r1, nodes: "rig[001-002]"}]')
  for (const id of ['rig001', 'rig002']) await report(server, id, begun)
  await report(server, 'other', begun, failed)
  const node = (...args: string[]) => run(place.dir, ['node', ...args])
  const list = await node('list')
  assert.equal(list.code, 0)
  const [title = '', ...rows] = list.out.trimEnd().split('\n')
  assert.match(title, /^NODE +STATE +CAUSE +DONE +RACK +ADDRESS +VER +SEEN +NOTE$/)
  assert.match(rows[0] ?? '', /^other +failed +AGENT_FAILED /)
  assert.deepEqual(
    rows.map((row) => row.split(/ +/)[0]),
    ['other', 'rig001', 'rig002'],
  )
  // What a node says of itself is data.
  assert.ok(!list.out.includes('\u001b') && list.out.includes('MEMORY_SHORT: too \\u001b[31m little'))
  const ids = async (...args: string[]) => {
    const { out } = await node('list', '--json', ...args)
    return (JSON.parse(out) as { id: string }[]).map(({ id }) => id)
  }
  assert.deepEqual(await ids('rig[001-002]'), ['rig001', 'rig002'])
  assert.deepEqual(await ids('--where', 'rack=r1,text=002'), ['rig002'])
  assert.deepEqual(await ids('--where', 'state=failed', '--sort', '-id'), ['other'])
  const missing = await node('list', 'rig[001-004]')
  assert.deepEqual([missing.code, missing.err], [1, 'bootswarm: 2 nodes not there: rig[003-004]\n'])

  const dry = await node('label', 'rig[001-002]', 'fan broken', '--dry-run')
  assert.deepEqual([dry.code, dry.out.split('\n').at(-2)], [0, '2 nodes; nothing was changed'])
  assert.ok(!(await node('list')).out.includes('fan broken'))
  assert.equal((await node('label', 'rig[001-002]', 'fan broken')).out, '2 nodes labelled\n')
  assert.match((await node('show', 'rig001')).out, /^label +fan broken$/m)
  assert.equal((await node('label', '--where', 'rack=r1,text=001', 'new')).out, '1 node labelled\n')
  assert.match((await node('show', 'rig001')).out, /^label +new$/m)
  assert.equal((await node('label', 'rig001', '--clear')).out, '1 node unlabelled\n')
  assert.deepEqual(await ids('--where', 'text=fan broken'), ['rig002'])

  assert.equal((await node('forget')).code, 2)
  assert.equal((await node('forget', '--where', 'state=failed', '--json')).out, '[{"id":"other"}]\n')
  assert.deepEqual(await ids(), ['rig001', 'rig002'])
  const audit = await run(place.dir, ['audit'], { env: { SUDO_USER: 'alice' } })
  assert.match(audit.out, /local \(.+\) from local: node\.forgotten other$/m)
})

test('machines that wait are listed and approved; drained ones wait too', async (t) => {
  const { place, server } = await started(t, 'admit: approved')
  const mac = '52:54:00:00:00:01'
  const path = `/v1/ipxe/script/${mac.replaceAll(':', '-')}?arch=x86_64`
  const script = async () => (await ask(server.ports().http, path)).body.toString()
  assert.match(await script(), /waits for an operator/)
  const node = (...args: string[]) => run(place.dir, ['node', ...args])
  await until('the machine', async () => (/NOT_ADMITTED/.test((await node('list')).out) ? true : undefined))
  const dry = await node('approve', '--where', 'cause=NOT_ADMITTED', '--dry-run')
  assert.match(dry.out, /^would approve 52:54:00:00:00:01 .*\n1 node; nothing was changed\n$/)
  assert.match(await script(), /waits for an operator/)
  assert.equal((await node('approve', '--where', 'cause=NOT_ADMITTED')).out, '1 node approved\n')
  assert.match(await script(), /no vmlinuz and stage1/)
  assert.match((await node('show', mac)).out, /^approved +yes$/m)
  assert.equal((await node('approve', mac, '--revoke')).out, '1 node no longer approved\n')
  assert.match(await script(), /waits for an operator/)
  assert.equal((await node('approve')).code, 2)
  assert.equal((await node('drain', mac, '--reason', 'fan broken')).out, '1 node drained\n')
  assert.match((await node('list')).out, /drained: fan broken$/m)
  assert.match((await node('show', mac)).out, /^drained +fan broken$/m)
  assert.match(await script(), /drained it: fan broken/)
  assert.equal((await node('drain', mac, '--clear', '--reason', 'x')).code, 2)
  assert.equal((await node('drain', mac, '--clear')).out, '1 node no longer drained\n')
})

test('what nodes boot once is set, shown while it waits, and taken back', async (t) => {
  const { place, server } = await started(t, 'profiles: {canary: {settings: {RING: canary}}}')
  for (const id of ['rig001', 'rig002']) await report(server, id, begun)
  const next = (...args: string[]) => run(place.dir, ['node', 'next-boot', ...args])
  const dry = await next('rig[001-002]', '--profile', 'canary', '--dry-run')
  assert.match(
    dry.out,
    /^would boot profile canary at the next boot: rig001 .*\n.*\n2 nodes; nothing was changed\n$/,
  )
  assert.equal(
    (await next('rig[001-002]', '--profile', 'canary')).out,
    '2 nodes to boot profile canary at the next boot\n',
  )
  assert.match((await run(place.dir, ['node', 'list'])).out, /^rig002 .* next boot: profile canary$/m)
  assert.match((await run(place.dir, ['node', 'show', 'rig001'])).out, /^next +profile canary, once$/m)
  assert.equal((await next('--where', 'text=001', '--local-disk', '--json')).out, '[{"id":"rig001"}]\n')
  assert.match((await run(place.dir, ['node', 'list'])).out, /^rig001 .* next boot: its own disk$/m)
  assert.equal((await next('rig[001-002]', '--clear')).out, '2 nodes to boot as always\n')
  assert.ok(!(await run(place.dir, ['node', 'list'])).out.includes('next boot'))
  const wrong: readonly (readonly [string[], number, RegExp])[] = [
    [['rig001'], 2, /USAGE_INVALID: say what: --profile/],
    [['rig001', '--shell', '--clear'], 2, /USAGE_INVALID: say what/],
    [['--shell'], 2, /USAGE_INVALID: name NODES/],
    [['rig001', '--profile', 'moon'], 1, /REQUEST_INVALID: there is no profile moon, only canary/],
    [['rig003', '--shell'], 1, /1 node not there: rig003/],
  ]
  for (const [args, code, text] of wrong) {
    const refused = await next(...args)
    assert.deepEqual([refused.code, text.test(refused.err)], [code, true], refused.err)
  }
})

test('what machines are is shown, nodes are found by it, and groups match by it', async (t) => {
  const groups =
    'groups: [{name: gpus, match: {pci: "10de:*", dmi: {product: "*R740"}}, hostname: "g-{serial}"}]'
  const { place, server } = await started(t, groups)
  const data = {
    ...{ vendor: 'Dell Inc.', product: 'PowerEdge R740', serial: 'ABC\u001b[31m1', uuid: '4c4c-1' },
    ...{ cpu: 'A CPU', cpus: 32, cores: 16, memory_bytes: 256e9 },
    ...{ firmware: 'uefi', secure_boot: false, tpm: 'none' },
    pci: [
      { class: '0300', id: '10de:2684', count: 8 },
      { class: '0200', id: '8086:1533', count: 1 },
    ],
    nics: [{ name: 'eth0', mac: '52:54:00:00:00:01', driver: 'igb', speed_mbps: 1000 }],
    disks: [{ name: 'nvme0n1', size_bytes: 512e9, model: 'A DISK' }],
    fans: [{ rpm: 900 }],
  }
  await report(server, 'rig001', begun, { type: 'machine.inventory', data })
  await report(server, 'rig002', begun)
  const node = (...args: string[]) => run(place.dir, ['node', ...args])
  const { out } = await node('show', 'rig001')
  for (const line of [
    'machine  Dell Inc. PowerEdge R740, serial ABC\\u001b[31m1, UUID 4c4c-1',
    'cpu      A CPU, 32 processors on 16 cores',
    'memory   256 GB',
    'firmware UEFI, Secure Boot off, no TPM',
    'pci      8 x 10de:2684 display, 8086:1533 network',
    'nics     eth0 52:54:00:00:00:01 igb 1000 Mbit/s',
    'disks    nvme0n1 512 GB A DISK',
    'groups: gpus',
  ])
    assert.ok(out.split('\n').includes(line), `${line}\n${out}`)
  assert.match(out, /^hostname +g-abc--31m1 +group gpus /m)
  const other = (await node('show', 'rig002')).out
  assert.ok(!other.includes('machine ') && other.includes('groups: none'), other)
  const shown = async (id: string) => JSON.parse((await node('show', id, '--json')).out)[0].inventory
  const { fans: _, ...known } = data
  assert.deepEqual([await shown('rig001'), await shown('rig002')], [known, null])
  const ids = async (where: string) => {
    const found = JSON.parse((await node('list', '--json', '--where', where)).out) as { id: string }[]
    return found.map(({ id }) => id)
  }
  assert.deepEqual(await ids('product=*R740,pci=10de:*'), ['rig001'])
  assert.deepEqual(await ids('pci=1002:*,pci=8086:*'), ['rig001'])
  assert.deepEqual(await ids('mac=52:54:00:*'), ['rig001'])
  assert.deepEqual(await ids('serial=other'), [])
  assert.match((await node('list', '--where', 'seral=1')).err, /did you mean serial=\?/)
})

test('where nodes and machines stopped, and why', async (t) => {
  const { place, server } = await started(t, 'settings: {POOL: pool.example}')
  const mac = '52:54:00:00:00:01'
  await report(server, 'rig001', begun, failed)
  await report(server, 'rig002', begun)
  const totals = { seconds: 12.5, from_peers_bytes: 1, from_origin_bytes: 1 }
  await report(server, 'rig003', begun, { type: 'boot.completed', data: { ...totals, version: 1 } })
  const { status } = await ask(server.ports().http, `/v1/ipxe/script/${mac.replaceAll(':', '-')}?arch=x86_64`)
  assert.equal(status, 200)
  const node = (...args: string[]) => run(place.dir, ['node', ...args])
  await until('the machine', async () =>
    /SCRIPT_REFUSED/.test((await node('list', mac)).out) ? true : undefined,
  )
  const list = await node('list')
  assert.match(list.out, /^52:54:00:00:00:01 +node-525400000001 +script +SCRIPT_REFUSED /m)
  assert.match(list.out, /^rig003 +rig003 +booted +12\.5 s /m)
  const ids = async (...args: string[]) => {
    const { out } = await node('list', '--json', ...args)
    return (JSON.parse(out) as { id: string }[]).map(({ id }) => id)
  }
  assert.deepEqual(await ids('--where', 'cause=AGENT_FAILED,cause=SCRIPT_REFUSED'), [mac, 'rig001'])
  assert.deepEqual(await ids('--where', 'state=script'), [mac])

  const one = await node('why', 'rig001')
  assert.equal(one.code, 0)
  const [title = '', reason = '', page = '', ...rest] = one.out.trimEnd().split('\n')
  assert.equal(title, 'rig001: failed')
  assert.equal(reason, '  AGENT_FAILED: Its agent failed: MEMORY_SHORT: too \\u001b[31m little')
  assert.equal(page, '  see docs/troubleshooting.md#agent_failed')
  assert.match(rest[0] ?? '', /^ {2}manifest +\S+ (s|min|h)\.\.\. {2}#+$/)
  assert.match(
    rest.at(-1) ?? '',
    /^ {2}last: .* ago: boot\.failed code=MEMORY_SHORT message="too .* little" retry_in_s=5$/,
  )
  assert.ok(!one.out.includes('\u001b'))
  const shown = await node('show', 'rig001')
  assert.ok(shown.out.includes(reason) && /^state +failed$/m.test(shown.out))
  assert.match(shown.out, /^groups: none\nprofiles: none\n\nhostname +rig001$/m)
  assert.match(shown.out, /^settings\.POOL +pool\.example +every node +\S*site\.yaml:\d+:\d+$/m)
  const [json] = JSON.parse((await node('show', 'rig001', '--json')).out)
  assert.deepEqual(
    [json.id, json.why.cause, json.config.settings.POOL.value],
    [...['rig001', 'AGENT_FAILED', 'pool.example']],
  )

  // Without NODES it is those that stand still, each on a line.
  const all = await node('why')
  assert.match(all.out, /^NODE +STATE +CAUSE +WHY$/m)
  assert.match(all.out, /^rig001 +failed +AGENT_FAILED +Its agent failed: MEMORY_SHORT/m)
  assert.match(all.out, /^1: see docs\/troubleshooting\.md#script_refused$/m)
  assert.ok(!/rig00[23]/.test(all.out))
  const reasons = JSON.parse((await node('why', 'rig[001-003]', '--json')).out) as { cause: string }[]
  assert.deepEqual(
    reasons.map(({ cause }) => cause),
    ['AGENT_FAILED', 'UNDER_WAY', 'BOOTED'],
  )
  assert.match((await node('why', '--where', 'cause=LOST')).out, /^no node matches$/m)
  const missing = await node('why', 'rig009')
  assert.deepEqual([missing.code, missing.out, missing.err], [1, '', 'bootswarm: 1 node not there: rig009\n'])
  assert.equal((await node('list', '--where', 'cause=MOON')).code, 1)

  const events = async (...args: string[]) => {
    const { code, out, err } = await node('events', ...args)
    assert.equal(code, 0, err)
    return out.trimEnd().split('\n')
  }
  const ofMachine = await events(mac)
  assert.match(ofMachine[0] ?? '', /^\S+ \S+ 52:54:00:00:00:01 script\.asked tries=0 /)
  assert.match(ofMachine[1] ?? '', / script\.refused code=BOOT_FILES_MISSING why="/)
  assert.deepEqual(await events('--mac', '5254.0000.0001'), ofMachine)
  assert.deepEqual(await events('--source', 'http', '--type', 'script.refused'), ofMachine.slice(1))
  assert.equal((await events('--since', '1d', '--source', 'agent')).length, 5)
  assert.deepEqual(await events('rig001', '--since', '1h'), await events('rig001'))
  assert.match((await events('--source', 'server'))[0] ?? '', /^\S+ \S+ - server\.started site=/)
  const wrong: readonly (readonly [string[], number, RegExp])[] = [
    [['--since', 'yesterday'], 2, /USAGE_INVALID: --since/],
    [['rig001', '--mac', mac], 2, /USAGE_INVALID: --mac/],
    [['--mac', 'rig001'], 1, /REQUEST_INVALID: .*MAC/],
    [['--source', 'moon'], 1, /REQUEST_INVALID: .*expected some of dhcp/],
  ]
  for (const [args, code, text] of wrong) {
    const refused = await node('events', ...args)
    assert.deepEqual([refused.code, text.test(refused.err)], [code, true], refused.err)
  }
  assert.equal((await node('forget', mac)).out, '1 node forgotten\n')
  assert.deepEqual(await ids('--where', 'state=script'), [])
})

test('events are shown, and followed over a restart of the server', async (t) => {
  const { place, server } = await started(t)
  await report(server, 'a', begun, failed)
  await report(server, 'b', begun)
  const shown = await run(place.dir, ['node', 'events', 'a'])
  assert.match(
    shown.out,
    /^\S+ \S+ a boot\.started agent=1\.0 .*\n\S+ \S+ a boot\.failed code=MEMORY_SHORT .*\n$/,
  )
  const follow = spawn(process.execPath, [program, 'node', 'events', 'a,c', '-f', '-n', '1', '--json'], {
    cwd: place.dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => follow.kill('SIGKILL'))
  const lines = createInterface(follow.stdout)[Symbol.asyncIterator]()
  let lastId = 0
  const next = async () => {
    const { id, node, type } = JSON.parse((await lines.next()).value as string)
    assert.ok(id > lastId, 'ids rise')
    lastId = id
    return [node, type]
  }
  assert.deepEqual(await next(), ['a', 'boot.failed'])
  await server.kill('SIGKILL')
  const again = place.start()
  await again.line('server.ready')
  await report(again, 'b', begun, failed)
  await report(again, 'a', begun, failed, begun)
  assert.deepEqual(await next(), ['a', 'boot.started'])
})

test('tokens are made, listed and revoked, and let the command in from another machine', async (t) => {
  const { place, server } = await started(t)
  const token = (...args: string[]) => run(place.dir, ['token', ...args])
  assert.match((await token('new', '--role', 'view', '--dry-run')).out, /nothing was changed/)
  const made = await token('new', '--role', 'view', '--name', 'laptop')
  assert.match(made.out, /^bsw_\S+\n$/)
  const id = made.out.slice(4, 12)
  const { fingerprint = '' } = /--fingerprint (?<fingerprint>\S+)/.exec(made.err)?.groups ?? {}
  writeFileSync(join(place.dir, 'token'), made.out)
  const url = `https://127.0.0.1:${server.ports().operators}`
  const at = ['--server', url, '--token-file', 'token']
  const ca = ['--ca', join(server.dataDir, 'trust', 'ca.pem')]
  const far = (...args: string[]) => run(place.dir, args)
  assert.equal((await far('status', ...at, ...ca)).code, 0)
  assert.equal((await far('status', ...at, '--fingerprint', fingerprint)).code, 0)
  const env = { BOOTSWARM_SERVER: url, BOOTSWARM_TOKEN: made.out.trim() }
  assert.equal((await run(place.dir, ['node', 'list', ...ca], { env })).code, 0)
  const reasons: [string[], number, RegExp][] = [
    [['status', ...at], 4, /SERVER_KEY_UNKNOWN: .*--fingerprint/],
    [['status', ...at, '--fingerprint', '0'.repeat(64)], 4, /SERVER_KEY_CHANGED/],
    [['token', 'list', ...at, ...ca], 4, /ROLE_TOO_LOW/],
    [['status', '--server', 'https://127.0.0.1:1', '--token-file', 'token'], 3, /SERVER_UNREACHABLE/],
    [['status', '--server', url], 4, /TOKEN_MISSING/],
  ]
  for (const [args, code, reason] of reasons) {
    const failure = await far(...args)
    assert.equal(failure.code, code, `${args.join(' ')}: ${failure.err}`)
    assert.match(failure.err, reason)
  }
  assert.match((await token('list')).out, new RegExp(`^${id} +view .* laptop$`, 'm'))
  assert.match((await token('revoke', id, '--dry-run')).out, /would revoke .*laptop; nothing was changed/)
  assert.match((await token('revoke', id)).out, /^revoked token .*laptop$/m)
  const refused = await far('status', ...at, ...ca)
  assert.deepEqual([refused.code, /TOKEN_INVALID: .*token new/.test(refused.err)], [4, true])
  assert.equal((await token('revoke', id)).code, 1)
})

test('a token never goes to a server that is not trusted', async (t) => {
  const { place, server } = await started(t)
  const other = await started(t)
  const made = await run(place.dir, ['token', 'new', '--role', 'admin'])
  const env = { BOOTSWARM_TOKEN: made.out.trim() }
  const ca = join(server.dataDir, 'trust', 'ca.pem')
  const url = `https://127.0.0.1:${other.server.ports().operators}`
  const { code, err } = await run(place.dir, ['status', '--server', url, '--ca', ca], { env })
  assert.deepEqual([code, /TLS_FAILED/.test(err)], [4, true])
  assert.ok(!other.server.lines.some(({ event }) => event === 'operators.token-refused'))
})

test('what keeps a command from its server is said with what to do', async (t) => {
  const { place, server } = await started(t)
  const elsewhere = await run(place.dir, ['status', '--data-dir', 'nowhere'])
  assert.equal(elsewhere.code, 3)
  assert.match(
    elsewhere.err,
    /SERVER_NOT_RUNNING: no server runs on .*nowhere: start it .*--data-dir.*--server/,
  )
  await server.kill('SIGKILL')
  const dead = await run(place.dir, ['node', 'list'])
  assert.equal(dead.code, 3)
  assert.match(dead.err, /SERVER_NOT_RUNNING/)
  // Something else listens there.
  const listener = createServer((socket) => socket.on('error', () => {}).end('SSH-2.0\r\n')).listen(
    0,
    '127.0.0.1',
  )
  t.after(() => listener.close())
  await new Promise((resolve) => listener.once('listening', resolve))
  const { port } = listener.address() as { port: number }
  const strange = await run(place.dir, ['status', '--server', `127.0.0.1:${port}`], {
    env: { BOOTSWARM_TOKEN: 'x' },
  })
  assert.equal([3, 4].includes(strange.code ?? 0), true, strange.err)
  assert.equal((await run(place.dir, ['node', 'lst'])).code, 2)
  assert.equal((await run(place.dir, ['node', 'list', '--watch'])).code, 2)
})

test('another user is told to use sudo', needsRoot, async (t) => {
  const { place, server } = await started(t, 'user: root')
  chmodSync(server.dataDir, 0o755)
  const { code, err } = await run(place.dir, ['status'], { uid: 65_534 })
  assert.equal(code, 4)
  assert.match(err, /SOCKET_NOT_ALLOWED: .*sudo/)
})

test('on a narrow terminal a table fits it', async (t) => {
  const { place, server } = await started(t)
  await report(server, 'a-node-with-a-name-that-is-long', begun, failed)
  const size = 'stty cols 60 rows 20; exec "$@"'
  const pty = [
    'python3',
    '-c',
    'import pty, sys; pty.spawn(["sh", "-c", sys.argv[1], "sh"] + sys.argv[2:])',
    size,
  ]
  const { out } = await run(place.dir, ['node', 'list'], { through: pty })
  const lines = out.split('\r\n').filter(Boolean)
  assert.equal(lines.length, 2)
  for (const line of lines) assert.ok([...line].length <= 60, line)
  assert.match(out, /…/)
})

test('a list that is watched is shown again in place, with what has changed', async (t) => {
  const { place, server } = await started(t)
  await report(server, 'rig001', begun)
  const pty = ['-c', 'import pty, sys; pty.spawn(["sh", "-c", sys.argv[1], "sh"] + sys.argv[2:])']
  const size = 'stty cols 100 rows 20; exec "$@"'
  const args = [...pty, size, process.execPath, program, 'node', 'list', '--watch']
  const child = spawn('python3', args, {
    cwd: place.dir,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, HOME: place.dir },
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  t.after(() => child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (part: Buffer) => {
    out += part.toString()
  })
  // Each time from the upper left corner on; what was longer before is cleared, line by line and below.
  const shown = () => out.split('\u001b[H').filter((screen) => screen.endsWith('\u001b[J'))
  const lastShown = (pattern: RegExp) =>
    until(String(pattern), async () => (pattern.test(shown().at(-1) ?? '') ? shown().at(-1) : undefined))
  const first = await lastShown(/^rig001 +seen /m)
  assert.ok(first?.includes('\u001b[K\r\n'))
  await report(server, 'rig002', begun, failed)
  await lastShown(/^rig002 +failed +AGENT_FAILED /m)
  assert.ok(shown().length >= 2)
  // The server goes: what was shown last stays, and the reason stands above it.
  await server.kill('SIGTERM')
  const old = await lastShown(/^\(old\) .*no server runs/m)
  assert.match(old, /^rig002 +failed /m)
  const again = place.start()
  await again.line('server.ready')
  // A screen that begins with the titles, not with `(old)`.
  await lastShown(/^NODE [\s\S]*\nrig002 +failed /)
  // Control-C at the terminal ends it.
  child.stdin.write('\u0003')
  await ended
})
