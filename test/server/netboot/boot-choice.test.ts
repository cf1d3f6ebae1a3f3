import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BootClient, chooseBoot } from '../../../server/netboot/boot-choice.js'

const http = '10.0.0.1:8480'
const choose = (more: Partial<BootClient>) =>
  chooseBoot({ mac: '52:54:00:12:34:56', archCodes: [], isHttpClient: false, isIpxe: false, ...more }, http)

test('option 93 chooses the boot program, the first known of several', () => {
  const files = [0, 6, 7, 9, 10, 11, 25, 27, 37, 39].map((code) => {
    const choice = choose({ archCodes: [code] })
    return choice.kind === 'tftp' ? choice.file : choice.kind
  })
  assert.deepEqual(files, [
    'bios/undionly.kpxe',
    ...['ia32', 'x64', 'x64', 'arm32', 'arm64', 'riscv32', 'riscv64', 'loong32', 'loong64'].map(
      (arch) => `${arch}/snponly.efi`,
    ),
  ])
  assert.deepEqual(choose({ archCodes: [99, 16, 7] }), { kind: 'tftp', arch: 'x64', file: 'x64/snponly.efi' })
})

test('UEFI HTTP boot gets a URL with an IP literal', () => {
  const urls = [15, 16, 18, 19].map((code) => {
    const choice = choose({ archCodes: [code], isHttpClient: true })
    return choice.kind === 'http' ? choice.url : choice.kind
  })
  assert.deepEqual(
    urls,
    ['ia32', 'x64', 'arm32', 'arm64'].map((arch) => `http://10.0.0.1:8480/v1/ipxe/bin/${arch}/ipxe.efi`),
  )
})

test('iPXE that speaks HTTP gets its script, one that does not the next boot program', () => {
  const script = { kind: 'script', url: 'http://10.0.0.1:8480/v1/ipxe/script/52-54-00-12-34-56' }
  assert.deepEqual(choose({ archCodes: [0], isIpxe: true }), script)
  assert.deepEqual(choose({ archCodes: [99], isIpxe: true, ipxeFeatures: new Set([0x13]) }), script)
  const without = choose({ archCodes: [0], isIpxe: true, ipxeFeatures: new Set([0x21]) })
  assert.equal(without.kind, 'tftp')
})

test('what is not known is refused with the reason, never taken for BIOS', () => {
  const cases: [Partial<BootClient>, RegExp][] = [
    [{}, /does not say its architecture/],
    [{ archCodes: [99] }, /architecture code 99/],
    [{ archCodes: [7], isHttpClient: true }, /over HTTP .* code 7/],
    [{ archCodes: [16] }, /over TFTP .* code 16/],
    [{ archCodes: [0], mac: 'dc:a6:32:00:00:01' }, /Raspberry Pi/],
  ]
  for (const [client, reason] of cases) {
    const choice = choose(client)
    assert.equal(choice.kind, 'refused')
    assert.match((choice as { reason: string }).reason, reason)
  }
})
