import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readModuleInfo } from '../../image/modinfo.js'
import { chooseModules, modulesAlias, modulesDep } from '../../image/modules.js'
import { BootswarmError } from '../../src/errors.js'

/** An ELF file with a section .modinfo and one of names, as small as can be. */
function elf(...words: string[]): Buffer {
  const info = Buffer.from(words.map((word) => `${word}\0`).join(''), 'latin1')
  const names = Buffer.from('\0.modinfo\0.names\0')
  const header = Buffer.alloc(64)
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header)
  header.writeBigUInt64LE(BigInt(64 + info.length + names.length), 40)
  header.writeUInt16LE(64, 58)
  header.writeUInt16LE(3, 60)
  header.writeUInt16LE(2, 62)
  const section = (name: number, offset: number, size: number) => {
    const bytes = Buffer.alloc(64)
    bytes.writeUInt32LE(name, 0)
    bytes.writeBigUInt64LE(BigInt(offset), 24)
    bytes.writeBigUInt64LE(BigInt(size), 32)
    return bytes
  }
  const table = [section(0, 0, 0), section(1, 64, info.length), section(10, 64 + info.length, names.length)]
  return Buffer.concat([header, info, names, ...table])
}

function tree(t: TestContext, files: Record<string, Buffer | string>): string {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-modules-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  for (const [name, data] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), data)
  }
  return dir
}

const fails = (message: RegExp) => (error: unknown) =>
  error instanceof BootswarmError && error.code === 'IMAGE_FAILED' && message.test(error.message)

test('a module says what it needs', () => {
  const info = readModuleInfo(
    elf(
      'alias=pci:v1d*',
      'depends=libphy,mdio-devres',
      'softdep=pre: realtek post: other',
      'firmware=a/b',
      'vermagic=6.1 SMP',
    ),
    'r8169.ko',
  )
  assert.deepEqual(info, {
    depends: ['libphy', 'mdio_devres'],
    wants: ['realtek'],
    aliases: ['pci:v1d*'],
    firmware: ['a/b'],
    vermagic: '6.1 SMP',
  })
})

test('what is no module, or is cut short, is refused', () => {
  const whole = elf('depends=')
  for (const bytes of [Buffer.alloc(0), Buffer.from('#!/bin/sh'), Buffer.alloc(64), whole.subarray(0, -1)]) {
    assert.throws(() => readModuleInfo(bytes, 'x.ko'), fails(/x\.ko is no kernel module/))
  }
  // Any byte may be wrong: refused or read, never anything else.
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 0x7f, 0xff]) {
      const bytes = Buffer.from(whole)
      bytes[at] = value
      try {
        readModuleInfo(bytes, 'x.ko')
      } catch (error) {
        assert.ok(error instanceof BootswarmError, String(error))
      }
    }
  }
})

test('modules come with all that they need, each after it', async (t) => {
  const dir = tree(t, {
    'kernel/net/r8169.ko': elf('depends=libphy,mdio_devres', 'softdep=pre: realtek gone', 'alias=pci:a'),
    'kernel/net/libphy.ko': elf('depends='),
    'kernel/net/mdio-devres.ko': elf('depends=libphy'),
    'kernel/phy/realtek.ko.gz': execFileSync('gzip', ['-n'], {
      input: elf('depends=libphy,crc_builtin', 'alias=mdio:b'),
    }),
    'kernel/net/unused.ko': elf('depends='),
    'modules.builtin': 'kernel/lib/crc-builtin.ko\n',
  })
  const { modules, builtin } = await chooseModules(dir, ['r8169', 'crc_builtin'])
  assert.deepEqual(
    modules.map(({ name }) => name),
    ['libphy', 'mdio_devres', 'realtek', 'r8169'],
  )
  assert.deepEqual(builtin, ['crc_builtin'])
  assert.equal(
    modulesDep(modules),
    [
      'kernel/net/libphy.ko:',
      'kernel/net/mdio-devres.ko: kernel/net/libphy.ko',
      'kernel/phy/realtek.ko: kernel/net/libphy.ko',
      'kernel/net/r8169.ko: kernel/phy/realtek.ko kernel/net/mdio-devres.ko kernel/net/libphy.ko',
      '',
    ].join('\n'),
  )
  assert.equal(modulesAlias(modules), 'alias mdio:b realtek\nalias pci:a r8169\n')
})

test('a module that is missing is named, with what needs it', async (t) => {
  const dir = tree(t, {
    'kernel/a.ko': elf('depends=b'),
    'kernel/b.ko': elf('depends=c'),
    'kernel/x.ko': elf('depends=y'),
    'kernel/y.ko': elf('depends=x'),
  })
  await assert.rejects(chooseModules(dir, ['z']), fails(/has no module z$/))
  await assert.rejects(chooseModules(dir, ['a']), fails(/no module c, which a and b needs/))
  await assert.rejects(chooseModules(dir, ['x']), fails(/x needs itself: x, y, x/))
})
