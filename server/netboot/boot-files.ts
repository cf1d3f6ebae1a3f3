/** Which kernel and which stage 1 of `artifacts/boot/` a machine gets: by the names of the files. No I/O. */
import { Buffer } from 'node:buffer'

/** What a script can boot, by iPXE's names. */
export type KernelArch = 'x86_64' | 'arm64' | 'i386' | 'riscv64' | 'loong64'

/** iPXE's name of an architecture; undefined for one that no kernel is looked for. */
export function kernelArch(name: string): KernelArch | undefined {
  return Object.hasOwn(words, name) ? (name as KernelArch) : undefined
}

/** How file names say an architecture. */
const words: Record<KernelArch, RegExp> = {
  x86_64: /x86[_-]64|amd64|x64/i,
  arm64: /arm64|aarch64/i,
  i386: /i[3-6]86|ia32/i,
  riscv64: /riscv64/i,
  loong64: /loong(?:arch)?64/i,
}

const kernelName = /^(?:vmlinuz|kernel|bzimage|image)/i
const stage1Names = [/^stage1/i, /^(?:initramfs|initrd)/i]

/** A kernel and its stage 1 belong together. */
export interface BootFiles<File> {
  readonly kernel: File
  readonly stage1: File
}

/**
 * Chooses of the boot files of one version: those that name the architecture, else, for x86_64, those that name none;
 * of several the last by name, as with root file systems. Undefined if either is missing.
 */
export function chooseBootFiles<File extends { readonly name: string }>(
  files: readonly File[],
  arch: KernelArch,
): BootFiles<File> | undefined {
  const usable = (test: RegExp) => {
    const named = files.filter(({ name }) => test.test(name))
    const ours = named.filter(({ name }) => words[arch].test(name))
    const plain = named.filter(({ name }) => !Object.values(words).some((word) => word.test(name)))
    return last(ours) ?? (arch === 'x86_64' ? last(plain) : undefined)
  }
  const kernel = usable(kernelName)
  const stage1 = stage1Names.map(usable).find((found) => found !== undefined)
  return kernel === undefined || stage1 === undefined ? undefined : { kernel, stage1 }
}

function last<File extends { readonly name: string }>(files: readonly File[]): File | undefined {
  return [...files].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))).at(-1)
}
