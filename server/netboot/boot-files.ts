/** Which kernel and which stage 1 of `artifacts/boot/` a machine gets: by the names of the files. No I/O. */
import { type KernelArch, kernelArchs } from '../../src/arch.js'
import { compareVersions } from '../../src/version-order.js'

/** What a boot file is to the machine that loads it. */
export function bootFileRole(name: string): 'kernel' | 'stage1' {
  return kernelName.test(name) ? 'kernel' : 'stage1'
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
/** The one made for bootswarm before a distribution's own, which holds no agent. */
const stage1Names = [/^stage1/i, /^(?:initramfs|initrd(?:\.img)?)/i]
const fileEndings = /(?:\.(?:img|cpio|gz|xz|zst|zstd|lz4|bz2|lzma|efi))+$/i

/** A kernel and its stage 1 belong together. */
export interface BootFiles<File> {
  readonly kernel: File
  readonly stage1: File
}

interface Named {
  readonly name: string
}

/**
 * Chooses of the boot files of one version, for x86_64 also of those that name no architecture, a kernel and a stage 1
 * of one set: named alike but for their beginnings, as `vmlinuz-6.1.0-10-amd64` and `initrd.img-6.1.0-10-amd64` are,
 * or one of them without more to its name, or the only ones there are. Of several pairs the one that names the
 * architecture, then the newest by name. Undefined if there is none.
 */
export function chooseBootFiles<File extends Named>(
  files: readonly File[],
  arch: KernelArch,
): BootFiles<File> | undefined {
  const kernels = candidates(files, [kernelName], arch)
  const stage1s = candidates(files, stage1Names, arch)
  const isOnly = ({ preference }: Candidate<File>) =>
    kernels.length === 1 && stage1s.filter((other) => other.preference === preference).length === 1
  return kernels
    .flatMap((kernel) => stage1s.map((stage1) => ({ kernel, stage1, fit: fit(kernel, stage1) })))
    .filter((pair) => pair.fit > 0 || isOnly(pair.stage1))
    .sort(
      (a, b) =>
        a.stage1.preference - b.stage1.preference ||
        a.fit - b.fit ||
        a.kernel.namesArch + a.stage1.namesArch - (b.kernel.namesArch + b.stage1.namesArch) ||
        compareVersions(a.kernel.file.name, b.kernel.file.name) ||
        compareVersions(a.stage1.file.name, b.stage1.file.name),
    )
    .map(({ kernel, stage1 }) => ({ kernel: kernel.file, stage1: stage1.file }))
    .at(-1)
}

/** Kernels and stage 1 of these files that no machine gets, with what it gets instead. For people. */
export function unusedBootFiles<File extends Named>(
  files: readonly File[],
): { readonly file: File; readonly reason: string }[] {
  const chosen = new Map(
    kernelArchs.flatMap((arch) => {
      const pair = chooseBootFiles(files, arch)
      return pair === undefined ? [] : [[arch, pair] as const]
    }),
  )
  const used = new Set([...chosen.values()].flatMap(({ kernel, stage1 }) => [kernel, stage1]))
  return files.flatMap((file) => {
    if (used.has(file) || ![kernelName, ...stage1Names].some((test) => test.test(file.name))) return []
    const taken = kernelArchs.filter((arch) => isFor(file, arch)).flatMap((arch) => chosen.get(arch) ?? [])
    const reason = taken.map(({ kernel, stage1 }) => `machines get ${kernel.name} and ${stage1.name}`)[0]
    return [{ file, reason: reason ?? 'there is no kernel and stage 1 named alike that it belongs to' }]
  })
}

interface Candidate<File> {
  readonly file: File
  /** What its name says beside what it is: version, flavour. */
  readonly set: string
  /** Greater is better. */
  readonly preference: number
  readonly namesArch: 0 | 1
}

/** The files of one role that a machine of this architecture can use. */
function candidates<File extends Named>(
  files: readonly File[],
  roles: readonly RegExp[],
  arch: KernelArch,
): Candidate<File>[] {
  return files.flatMap((file): Candidate<File>[] => {
    const role = roles.findIndex((test) => test.test(file.name))
    const test = roles[role]
    if (test === undefined || !isFor(file, arch)) return []
    const namesArch = words[arch].test(file.name) ? 1 : 0
    return [{ file, set: setOf(file.name.replace(test, '')), preference: -role, namesArch }]
  })
}

function isFor({ name }: Named, arch: KernelArch): boolean {
  if (words[arch].test(name)) return true
  return arch === 'x86_64' && !Object.values(words).some((word) => word.test(name))
}

function setOf(rest: string): string {
  const plain = Object.values(words).reduce((name, word) => name.replace(word, ''), rest)
  return plain
    .replace(fileEndings, '')
    .replace(/[-_.]+/g, '-')
    .replace(/^-|-$/g, '')
    .toLowerCase()
}

/** 2: named alike. 1: one says nothing of a set. 0: of two sets. */
function fit(a: Candidate<unknown>, b: Candidate<unknown>): 0 | 1 | 2 {
  if (a.set === b.set) return 2
  return a.set === '' || b.set === '' ? 1 : 0
}
