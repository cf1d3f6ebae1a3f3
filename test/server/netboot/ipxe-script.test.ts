import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  archScript,
  autoexecScript,
  bootScript,
  diskScript,
  holdScript,
  plain,
  problemScript,
  shellScript,
  waitAfterS,
  waitScript,
} from '../../../server/netboot/ipxe-script.js'
import { kernelArgsMistake } from '../../../src/kernel-args.js'
import { BOOT_TRIES_MAX, KERNEL_LINE_LENGTH_MAX } from '../../../src/limits.js'

const node = { http: '10.0.0.1:8480', mac: '52:54:00:00:00:01', hostname: 'rig001', arch: 'x86_64', tries: 0 }
const boot = {
  version: 3,
  kernel: { name: 'vmlinuz', url: 'http://10.0.0.1:8480/k' },
  stage1: { name: 'stage1', url: 'http://10.0.0.1:8480/s' },
  server: 'https://10.0.0.1:8443',
  ticket: 'ab'.repeat(16),
  kernelArgs: 'quiet console=ttyS0',
}
const all = () => [
  autoexecScript(node.http),
  archScript(node.http, node.mac),
  bootScript(node, boot),
  waitScript(node, { position: 3, of: 9, sleepS: 2 }),
  holdScript(node, 'drained: fan broken'),
  diskScript(node),
  shellScript(node),
  problemScript(node, 'no kernel'),
  problemScript({ ...node, tries: BOOT_TRIES_MAX }, 'no kernel'),
]

test('every fetch has a timeout, every jump a label, every script an end', () => {
  for (const script of all()) {
    assert.match(script, /^#!ipxe\n/)
    const labels = [...script.matchAll(/^:(\S+)$/gm)].map(([, label]) => label)
    assert.equal(new Set(labels).size, labels.length)
    for (const [, label] of script.matchAll(/goto (\S+)/g)) assert.ok(labels.includes(label), label)
    for (const line of script.split('\n')) {
      if (/^(chain|kernel|initrd) /.test(line)) assert.match(line, / --timeout 3000 .* \|\|/)
    }
    assert.match(script, /\n:failed\necho bootswarm gives up: .*\nprompt .*\nexit 1\n$/)
    assert.ok(!/[^:]\/\//.test(script), 'no // in a path')
  }
})

test('the kernel line says server, node and card, and names the initrd for EFI', () => {
  const line = bootScript(node, boot)
    .split('\n')
    .find((text) => text.startsWith('kernel'))
  assert.equal(
    line,
    'kernel --timeout 3000 --name vmlinuz http://10.0.0.1:8480/k initrd=stage1 bootswarm.server=https://10.0.0.1:8443 bootswarm.node=52:54:00:00:00:01 BOOTIF=01-52-54-00-00-00-01 bootswarm.ticket=abababababababababababababababab quiet console=ttyS0 || goto again',
  )
})

test('the longest kernel line is one that kernels take as it is', () => {
  const address = `[${Array.from({ length: 8 }, () => 'ffff').join(':')}]`
  const longest = {
    ...boot,
    server: `https://${address}:65535`,
    kernelArgs: 'x'.repeat(KERNEL_LINE_LENGTH_MAX),
  }
  const script = bootScript({ ...node, http: `${address}:65535` }, longest)
  const words = /vmlinuz \S+ (.*) \|\| goto again/.exec(script)?.[1] ?? ''
  assert.match(words, /ticket=.* x/)
  // COMMAND_LINE_SIZE, with the zero at its end.
  assert.ok(words.length < 2048, `${words.length} characters`)
})

test('failures are tried again with growing waits, a bounded number of times', () => {
  let waitedS = 0
  let tries = 0
  for (;;) {
    const script = problemScript({ ...node, tries }, 'no kernel')
    const next = /tries=([0-9]+)/.exec(script)?.[1]
    if (next === undefined) break
    assert.equal(Number(next), tries + 1)
    assert.match(script, new RegExp(`\\nsleep ${waitAfterS(tries)}\\n`))
    waitedS += waitAfterS(tries)
    tries += 1
  }
  assert.equal(tries, BOOT_TRIES_MAX - 1)
  assert.ok(waitedS >= 1800 && waitedS <= 2100, `${waitedS} s`)
})

test('a server that does not answer is asked as long, with waits that double up to the same', () => {
  const lines = autoexecScript(node.http).split('\n')
  const wait = '\u0024{bs-wait}'
  assert.deepEqual(lines.slice(lines.indexOf(`sleep ${wait}`)).slice(1, 3), [
    `iseq ${wait} ${waitAfterS(BOOT_TRIES_MAX)} || inc bs-wait ${wait}`,
    'goto ask',
  ])
  assert.ok(lines.includes(`iseq \u0024{bs-tries} ${BOOT_TRIES_MAX} && goto failed ||`))
})

test('no text becomes a command', () => {
  const hostile = 'x\nshell\r\u0024{net0/mac} || && ; # ä\u0000'
  assert.ok(!/[^\x20-\x7e]|[${}#&|;]/.test(plain(hostile)))
  const script = bootScript(
    { ...node, hostname: hostile, arch: hostile },
    { ...boot, kernel: { ...boot.kernel, name: hostile } },
  )
  assert.equal(script.split('\n').length, bootScript(node, boot).split('\n').length)
  assert.ok(!script.includes('net0/mac}'))
})

test('kernel arguments that iPXE would not pass on as they stand are refused', () => {
  for (const good of ['', 'quiet', 'a="b c" d=$HOME e=x#y f=a;b g=||h', 'x'.repeat(1024)])
    assert.equal(kernelArgsMistake(good), undefined, good)
  for (const bad of [
    '\u0024{x}',
    'a  b',
    ' a',
    'a ',
    'a # b',
    '#a',
    'a || b',
    'a && b',
    'a ; b',
    'a\nb',
    'ä',
    'x'.repeat(1025),
  ])
    assert.notEqual(kernelArgsMistake(bad), undefined, bad)
})
