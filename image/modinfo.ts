/** Reads a kernel module's metadata: the section .modinfo of its ELF file (64 bits, little-endian). Pure. */
import { BootswarmError } from '../src/errors.js'

/** What stage 1 needs to know of a module. */
export interface ModuleInfo {
  /** Names of modules that must be loaded before, with underscores. */
  readonly depends: readonly string[]
  /** Modules that should be loaded before (`softdep: pre:`), with underscores. */
  readonly wants: readonly string[]
  /** Patterns of the devices that it drives. */
  readonly aliases: readonly string[]
  /** Files that it may ask the kernel for. */
  readonly firmware: readonly string[]
  /** Version and options of the kernel that it is for. */
  readonly vermagic: string
}

const HEADER_BYTES = 64
const SECTION_BYTES = 64

/**
 * Takes a module apart.
 * @throws {BootswarmError} IMAGE_FAILED if it is none
 */
export function readModuleInfo(elf: Buffer, name: string): ModuleInfo {
  const all = (key: string) =>
    words.filter((word) => word.startsWith(`${key}=`)).map((word) => word.slice(key.length + 1))
  const words = modinfoSection(elf, name).toString('latin1').split('\0')
  const list = (text: string | undefined) =>
    (text ?? '')
      .split(/[\s,]+/)
      .filter((word) => word !== '')
      .map(moduleName)
  return {
    depends: list(all('depends')[0]),
    wants: all('softdep').flatMap((text) => list(/pre:(.*?)(?:post:|$)/.exec(text)?.[1])),
    aliases: all('alias'),
    firmware: all('firmware'),
    vermagic: all('vermagic')[0] ?? '',
  }
}

/** The kernel's own spelling of a module's name. */
export function moduleName(text: string): string {
  return text.replaceAll('-', '_')
}

function modinfoSection(elf: Buffer, name: string): Buffer {
  const bad = (why: string) =>
    new BootswarmError('IMAGE_FAILED', `${name} is no kernel module for 64-bit Linux: ${why}`)
  const part = (start: number, length: number) => {
    if (start + length > elf.length) throw bad('it is cut short')
    return elf.subarray(start, start + length)
  }
  if (elf.length < HEADER_BYTES || elf.readUInt32BE(0) !== 0x7f454c46) throw bad('not ELF')
  if (elf[4] !== 2 || elf[5] !== 1) throw bad('not 64 bits, little-endian')
  const table = Number(elf.readBigUInt64LE(40))
  const [size, count, names] = [elf.readUInt16LE(58), elf.readUInt16LE(60), elf.readUInt16LE(62)]
  if (size !== SECTION_BYTES || names >= count) throw bad('no sections')
  const section = (index: number) => {
    const header = part(table + index * SECTION_BYTES, SECTION_BYTES)
    return {
      nameAt: header.readUInt32LE(0),
      bytes: () => part(Number(header.readBigUInt64LE(24)), Number(header.readBigUInt64LE(32))),
    }
  }
  const texts = section(names).bytes()
  for (let index = 0; index < count; index++) {
    const { nameAt, bytes } = section(index)
    if (texts.subarray(nameAt, nameAt + 9).toString('latin1') === '.modinfo\0') return bytes()
  }
  throw bad('no section .modinfo')
}
