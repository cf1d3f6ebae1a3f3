import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { makeBootAnswers } from '../../../server/api/boot-answers.js'
import type { CatalogArtifact, CatalogVersion } from '../../../server/catalog/versions.js'
import { BootAdmission } from '../../../server/netboot/admission.js'
import { KnownArchs } from '../../../server/nodes/known-archs.js'
import { NextBoots } from '../../../server/nodes/next-boots.js'
import type { Hold } from '../../../src/admit.js'
import { makeNodeConfigs } from '../../../src/node-config.js'
import type { Fact } from '../../../src/timeline.js'
import { parseConfig } from '../../support/config.js'
import { noFailures } from '../../support/failures.js'

const mac = '52:54:00:00:00:01'
const file = (name: string): CatalogArtifact => ({
  ...{
    kind: 'boot',
    name,
    sizeBytes: 1,
    sha256: Buffer.from(name).toString('hex'),
    format: 'raw',
    modifiedS: 1,
  },
})
const version = (number: number, ...names: string[]): CatalogVersion => ({
  ...{ version: number, createdMs: number, artifacts: names.map(file) },
})

const oneRig = `
netboot: {kernel_args: quiet}
nodes: [{match: "${mac}", hostname: rig1}]`

/** The answers over a real queue with this many places, and a catalog that can be replaced. */
function place(slots = 8, natAddress?: string, yaml = oneRig, hold?: Hold) {
  const configs = makeNodeConfigs(parseConfig({ text: yaml, name: 'f' }))
  const archs = new KnownArchs()
  const catalog: { current: CatalogVersion | undefined } = { current: version(1, 'vmlinuz', 'stage1.img') }
  const lines: { event: string; code?: string }[] = []
  const facts: Fact[] = []
  const tickets: string[] = []
  const admission = new BootAdmission(slots, () => performance.now())
  const nextBoots = new NextBoots({
    stored: [],
    namesOf: (id) => [id],
    save: async () => {},
    failures: noFailures(),
  })
  const answers = makeBootAnswers({
    admission,
    nextBoots,
    program: (name) => (name === 'x64/ipxe.efi' ? Buffer.from('MZ') : undefined),
    currentVersion: () => catalog.current,
    describe: (id, address) => configs.of(id, address, archs.of(id)),
    describeOnce: (id, address, once) => configs.once({ id, address, arch: archs.of(id) }, once),
    holdOf: () => hold,
    archSeen: (id, arch) => archs.note(id, arch),
    tickets: {
      issue: (machine, nowMs) => {
        tickets.push(`${nowMs}: ${machine.mac} at ${machine.address} is ${machine.node}`)
        return 'ab'.repeat(16)
      },
      stage1Left: (left, address, nowMs) => void tickets.push(`${nowMs}: ${left} at ${address} has stage 1`),
    },
    reachedAt: (address) => natAddress ?? address,
    log: pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
    fact: (fact) => void facts.push(fact),
    nowMs: () => 0,
    wallMs: () => 7,
    ports: () => ({ http: 8480, https: 8443 }),
  })
  const script = (arch: string | undefined, id = mac, tries = 0) => {
    const [address, serverAddress, gone] = ['10.0.0.2', '10.0.0.1', new AbortController().signal]
    return answers.script({ mac: id, arch, tries, address, serverAddress, gone })
  }
  const fetch = (id: string, sha256: string) => {
    const connection = { movedBytes: () => 7, close: () => {} }
    const name = Buffer.from(sha256, 'hex').toString()
    return answers.fetch({ mac: id, address: '10.0.0.2', file: sha256, name, ...connection })
  }
  return { answers, nextBoots, admission, catalog, lines, facts, tickets, script, fetch }
}

test('programs come by name, and beside each the script that asks for a machine’s own', () => {
  const { answers } = place()
  assert.deepEqual(answers.program('x64/ipxe.efi', '10.0.0.1'), Buffer.from('MZ'))
  assert.equal(answers.program('x64/other.efi', '10.0.0.1'), undefined)
  const autoexec = Buffer.from(answers.program('x64/autoexec.ipxe', 'fd00::1') ?? '').toString()
  assert.ok(autoexec.includes('http://[fd00::1]:8480/v1/ipxe/script/'), autoexec)
  const behindNat = place(8, '192.0.2.9').answers.program('x64/autoexec.ipxe', '10.0.0.1')
  assert.ok(Buffer.from(behindNat ?? '').includes('http://192.0.2.9:8480/'))
})

test('a machine is asked what it is, then boots kernel and stage 1 with its arguments', async () => {
  const { script, lines } = place()
  assert.match(await script(undefined), /\?arch=/)
  const boot = await script('x86_64')
  const path = `http://10.0.0.1:8480/v1/ipxe/file/${mac.replaceAll(':', '-')}`
  assert.ok(boot.includes(`${path}/${file('vmlinuz').sha256}/vmlinuz `), boot)
  assert.ok(boot.includes(`${path}/${file('stage1.img').sha256}/stage1.img `), boot)
  assert.match(boot, /bootswarm\.server=https:\/\/10\.0\.0\.1:8443 /)
  assert.match(boot, / quiet \|\| /)
  assert.deepEqual(
    lines.map(({ event }) => event),
    ['netboot.loads'],
  )
})

test('a script that boots carries a ticket for the node that it starts, and stage 1 begins its end', async () => {
  const { script, fetch, tickets, lines, facts } = place()
  assert.ok(!(await script(undefined)).includes('ticket'))
  assert.match(await script('x86_64'), / bootswarm\.ticket=(ab){16} quiet /)
  fetch(mac, file('vmlinuz').sha256)?.end(true)
  fetch(mac, file('stage1.img').sha256)?.end(false)
  fetch(mac, file('stage1.img').sha256)?.end(true)
  assert.deepEqual(tickets, [`7: ${mac} at 10.0.0.2 is ${mac}`, `7: ${mac} at 10.0.0.2 has stage 1`])
  assert.ok(!JSON.stringify([lines, facts]).includes('abab'))
  const named = place(8, undefined, 'netboot: {kernel_args: "bootswarm.node=a x bootswarm.node=RIG-7"}')
  await named.script('x86_64')
  assert.deepEqual(named.tickets, [`7: ${mac} at 10.0.0.2 is rig-7`])
})

test('who waits for a turn gets no ticket', async () => {
  const { script, fetch, tickets } = place(1)
  await script('x86_64')
  assert.ok(fetch(mac, 'x') !== undefined)
  assert.match(await script('x86_64', '52:54:00:00:00:02'), /in the queue/)
  assert.equal(tickets.length, 1)
})

test('what cannot boot is told why, and takes no place in the queue', async () => {
  const { script, lines, catalog, admission } = place()
  assert.match(await script('sparc'), /no kernel is known for architecture sparc/)
  assert.match(await script('arm64'), /no vmlinuz and stage1 for arm64/)
  catalog.current = undefined
  assert.match(await script('x86_64'), /no vmlinuz and stage1 for x86_64/)
  assert.deepEqual(
    lines.map(({ code }) => code),
    ['BOOT_REFUSED', 'BOOT_FILES_MISSING', 'BOOT_FILES_MISSING'],
  )
  assert.equal(admission.stats().admitted, 0)
})

test('who has to be approved waits for it, takes no place in the queue, and is named in the log once', async () => {
  const { script, lines, facts, admission } = place(8, undefined, oneRig, {
    code: 'NODE_NOT_ADMITTED',
    why: 'it waits',
  })
  for (const tries of [0, 1, 1]) {
    const text = await script('x86_64', mac, tries)
    assert.match(text, /rig1 \(52:54:00:00:00:01\): it waits: bootswarm node approve 52:54:00:00:00:01/)
    // It does not count up: it asks for as long as it takes.
    assert.match(text, /&tries=1 /)
  }
  assert.deepEqual(
    lines.map(({ code }) => code),
    ['NODE_NOT_ADMITTED'],
  )
  assert.equal(facts.filter(({ type }) => type === 'script.refused').length, 3)
  assert.equal(admission.stats().admitted, 0)
})

test('who has to wait is told its place; what it gets then is of the version of that moment', async () => {
  const { script, fetch, catalog } = place(1)
  await script('x86_64')
  const waiting = script('x86_64', '52:54:00:00:00:02')
  catalog.current = version(2, 'vmlinuz-2', 'stage1-2')
  for (const { sha256 } of version(1, 'vmlinuz', 'stage1.img').artifacts) fetch(mac, sha256)?.end(true)
  assert.match(await waiting, /loads version 2: vmlinuz-2, stage1-2/)
  // While its request waits the files may go: it is told, and not handed what is no more.
  const held = script('x86_64', '52:54:00:00:00:03')
  catalog.current = version(3)
  for (const { sha256 } of version(2, 'vmlinuz-2', 'stage1-2').artifacts)
    fetch('52:54:00:00:00:02', sha256)?.end(true)
  assert.match(await held, /no vmlinuz and stage1 for x86_64/)
})

test('who comes while no place is free sleeps and asks again', async () => {
  const { script, fetch } = place(1)
  await script('x86_64')
  assert.ok(fetch(mac, 'x') !== undefined)
  const told = await script('x86_64', '52:54:00:00:00:02')
  assert.match(told, /is number 1 of 1 in the queue/)
  assert.equal(fetch('52:54:00:00:00:02', 'x'), undefined)
})

test('refusals do not fill the log, however many machines somebody invents', async () => {
  const { script, lines } = place()
  for (let made = 0; made < 2000; made += 1)
    assert.match(await script('sparc', `02:00:00:00:00:${made}`), /sparc/)
  // Others have the rest.
  assert.ok(lines.length > 256 && lines.length < 512, `${lines.length}`)
})

test('kernel arguments and memory layout are those of the node’s groups, also by its architecture', async () => {
  const yaml = `
netboot: {kernel_args: quiet}
profiles: {arm: {kernel_args: console=ttyAMA0, root: zram}, lab: {kernel_args: lab}}
groups:
  - {name: arms, match: {archs: arm64}, profile: arm}
  - {name: lab, match: {macs: "52:54", subnets: 10.0.0.0/24}, profile: lab}`
  const { script, catalog } = place(8, undefined, yaml)
  catalog.current = version(1, 'vmlinuz-amd64', 'stage1-amd64', 'vmlinuz-arm64', 'stage1-arm64')
  const words = async (arch: string, id: string) =>
    /bootswarm\.ticket=\S+ (.*?) \|\|/.exec((await script(arch, id)) ?? '')?.[1]
  assert.equal(await words('x86_64', mac), 'quiet lab')
  assert.equal(await words('arm64', '00:11:22:33:44:55'), 'bootswarm.root=zram quiet console=ttyAMA0')
  assert.equal(await words('arm64', mac), 'bootswarm.root=zram quiet console=ttyAMA0 lab')
})

test('a next boot gives its kernel arguments to one boot, and its own disk without kernel and queue', async () => {
  const yaml = `profiles: {canary: {kernel_args: canary}}\n${oneRig.replace('rig1}', 'rig1, kernel_args: own}')}`
  const { script, nextBoots, catalog, facts } = place(8, undefined, yaml)
  nextBoots.set(mac, { from: 'network', profile: ['canary'] }, 1)
  assert.match(await script('x86_64'), / quiet own canary \|\|/)
  assert.match(await script('x86_64', mac, 1), / quiet own canary \|\|/, 'another try of this boot')
  await script(undefined)
  assert.match(await script('x86_64'), / quiet own \|\|/)
  catalog.current = undefined
  nextBoots.set(mac, { from: 'disk', profile: [] }, 2)
  assert.match(await script('x86_64'), /\nsanboot /)
  await script(undefined)
  assert.match(await script('x86_64'), /no vmlinuz and stage1/)
  const taken = facts.filter(({ type }) => type === 'next-boot.taken').map(({ data }) => data)
  const canary = { from: 'network', profile: 'canary' }
  assert.deepEqual(taken, [canary, canary, { from: 'disk' }])
})

test('who is held back takes nothing', async () => {
  const hold = { code: 'NODE_DRAINED', why: 'drained' } as const
  const { script, nextBoots } = place(8, undefined, oneRig, hold)
  nextBoots.set(mac, { from: 'shell', profile: [] }, 1)
  assert.match(await script('x86_64'), /drained/)
  assert.equal(nextBoots.waiting(mac)?.from, 'shell')
})
