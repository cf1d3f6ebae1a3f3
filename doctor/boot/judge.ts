/** From boot programs, kernels, stage 1 and root file systems to findings. Pure. */

import { X509Certificate } from 'node:crypto'
import type { KernelArch } from '../../src/arch.js'
import type { Site } from '../check.js'
import { type Finding, finding } from '../finding.js'
import type { Stage1Facts } from './stage1.js'

/** Kernel and stage 1 of one architecture. */
export interface BootPair {
  readonly arch: KernelArch
  /** File names in artifacts/boot; undefined where there is none. */
  readonly kernel: string | undefined
  readonly stage1: string | undefined
  /** What the kernel says of itself. */
  readonly version: string | undefined
  readonly contents: Stage1Facts | undefined
}

/** What was seen. */
export interface BootFacts {
  /** Boot programs that are there, `ARCH/FILE`. */
  readonly programs: readonly string[]
  /** Those that ordinary PCs need and are not there. */
  readonly missing: readonly string[]
  readonly directories: readonly string[]
  readonly install: string
  /** Architectures with a kernel or a stage 1, and x86_64 always. */
  readonly pairs: readonly BootPair[]
  readonly rootfs: readonly string[]
  /** Files of the server's trust directory; empty where it has none yet. */
  readonly trust: { readonly key: string; readonly ca: string }
}

/** Which boot program (UEFI) belongs to which kernel. */
const programOf: Readonly<Record<KernelArch, string>> = {
  x86_64: 'x64/snponly.efi',
  arm64: 'arm64/snponly.efi',
  i386: 'ia32/snponly.efi',
  riscv64: 'riscv64/snponly.efi',
  loong64: 'loong64/snponly.efi',
}
const machines: Readonly<Record<string, string>> = {
  'bios/undionly.kpxe': 'PCs with a BIOS do not boot',
  'x64/snponly.efi': 'PCs with UEFI do not boot by PXE',
  'x64/ipxe.efi': 'PCs do not boot by UEFI HTTP boot',
}

/** All about what nodes load. */
export function judgeBoot(facts: BootFacts, { config, mode }: Pick<Site, 'config' | 'mode'>): Finding[] {
  return [
    ...(mode === 'off' ? [] : programs(facts)),
    ...facts.pairs.flatMap((pair) => judgePair(pair, facts, config)),
    ...(facts.rootfs.length > 0
      ? []
      : [
          finding(
            'CATALOG_EMPTY',
            `${config.artifacts_dir}/rootfs has no root file system: nodes wait`,
            'put one there, or build one: ./bootswarm image rootfs',
          ),
        ]),
  ]
}

function programs({ missing, install, directories, pairs, programs: present }: BootFacts): Finding[] {
  const where = directories.join(' and ')
  const usual = missing.map((name) =>
    finding(
      'BOOT_PROGRAM_MISSING',
      `${name} is not in ${where}: ${machines[name] ?? 'such machines do not boot'}`,
      install,
    ),
  )
  const others = pairs.filter(
    ({ arch, kernel }) => arch !== 'x86_64' && kernel !== undefined && !present.includes(programOf[arch]),
  )
  return [
    ...usual,
    ...others.map(({ arch, kernel }) =>
      finding(
        'BOOT_PROGRAM_MISSING',
        `there is a kernel for ${arch} (${kernel}), but no boot program ${programOf[arch]} in ${where}`,
        `build iPXE for ${arch} and put it into netboot.ipxe_dir as ${programOf[arch]}`,
      ),
    ),
  ]
}

function judgePair(pair: BootPair, { trust }: BootFacts, config: Site['config']): Finding[] {
  const { arch, kernel, stage1, contents } = pair
  const missing = [
    ...(kernel === undefined ? ['kernel (vmlinuz)'] : []),
    ...(stage1 === undefined ? ['stage1'] : []),
  ]
  if (missing.length > 0) {
    return [
      finding(
        'BOOT_FILES_MISSING',
        `${config.artifacts_dir}/boot has no ${missing.join(' and no ')} for ${arch}`,
        'build both: ./bootswarm image stage1',
      ),
    ]
  }
  if (contents === undefined || contents.unknown !== undefined) return []
  const again = 'build it again: ./bootswarm image stage1'
  if (contents.damage !== undefined) {
    return [
      finding(
        'STAGE1_DAMAGED',
        `${stage1} cannot be unpacked: ${contents.damage}. The kernel would panic`,
        again,
      ),
    ]
  }
  return [
    ...(contents.packing === 'none'
      ? [
          finding(
            'STAGE1_UNCOMPRESSED',
            `${stage1} is not compressed: damage on the way to a node goes unnoticed, and it is larger than necessary`,
            `zstd -19 < ${stage1} > ${stage1}.zst, or xz --check=crc32, then put that in its place`,
          ),
        ]
      : []),
    ...incomplete(pair, contents, again),
    ...otherTrust(pair, contents, trust, config.netboot.kernel_args),
    ...otherKernel(pair, contents, again),
  ]
}

function incomplete({ stage1 }: BootPair, { hasInit, hasAgent }: Stage1Facts, again: string): Finding[] {
  const missing = [...(hasInit ? [] : ['/init that can be run']), ...(hasAgent ? [] : ['bootswarm-agent'])]
  if (missing.length === 0) return []
  return [finding('STAGE1_INCOMPLETE', `${stage1} has no ${missing.join(' and no ')}`, again)]
}

function otherTrust(
  { stage1 }: BootPair,
  { manifestKeys, ca }: Stage1Facts,
  trust: BootFacts['trust'],
  kernelArgs: string,
): Finding[] {
  const again = 'build stage 1 again, with this server’s keys: ./bootswarm image stage1'
  if (trust.key === '') {
    const seen = `${stage1} trusts keys that this data directory does not have: the server makes new ones when it starts`
    return [finding('STAGE1_OTHER_TRUST', seen, again)]
  }
  const isOnCommandLine = /(^| )bootswarm\.key=/.test(kernelArgs)
  if (manifestKeys.length === 0 && !isOnCommandLine) {
    return [
      finding(
        'STAGE1_INCOMPLETE',
        `${stage1} has no etc/bootswarm/manifest.pub: nodes stop with TRUST_MISSING`,
        again,
      ),
    ]
  }
  const isOtherCa =
    ca !== '' && trust.ca !== '' && !certificates(ca).includes(certificates(trust.ca)[0] ?? '')
  const isOtherKey = manifestKeys.length > 0 && !manifestKeys.includes(trust.key)
  if (!isOtherCa && !isOtherKey) return []
  const what = [...(isOtherCa ? ['ca.pem'] : []), ...(isOtherKey ? ['manifest.pub'] : [])].join(' and ')
  const code = isOtherCa ? 'TLS_FAILED' : 'MANIFEST_BAD_SIGNATURE'
  const seen = `${stage1} holds ${what} of another server: nodes stop with ${code}`
  return [finding('STAGE1_OTHER_TRUST', seen, again)]
}

function otherKernel(
  { kernel, stage1, version }: BootPair,
  { moduleVersions }: Stage1Facts,
  again: string,
): Finding[] {
  if (version === undefined || moduleVersions.length === 0 || moduleVersions.includes(version)) return []
  const seen = `${kernel} is ${version}, but ${stage1} has modules for ${moduleVersions.join(', ')}: no network card works`
  return [finding('STAGE1_OTHER_KERNEL', seen, again)]
}

/** Fingerprints; what cannot be read has none. */
function certificates(pem: string): string[] {
  const parts = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return parts.flatMap((part) => {
    try {
      return [new X509Certificate(part).fingerprint256]
    } catch {
      return []
    }
  })
}
