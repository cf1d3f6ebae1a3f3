/**
 * The network boot programs that are served, and where they may lie. A fixed table: what is asked for chooses an entry,
 * it never becomes a path. No I/O.
 */
import type { BootArch } from './boot-choice.js'

/** One program of the table. */
export interface BootProgram {
  readonly arch: BootArch
  /** `ARCH/FILE`, as TFTP and HTTP name it. */
  readonly name: string
  /** Where it may lie below a directory of programs; the first that is there is taken. */
  readonly sources: readonly string[]
}

/** What iPXE's own build calls an architecture. */
const ipxeNames = {
  ia32: 'i386',
  x64: 'x86_64',
  arm32: 'arm32',
  arm64: 'arm64',
  riscv32: 'riscv32',
  riscv64: 'riscv64',
  loong32: 'loong32',
  loong64: 'loong64',
} as const satisfies Record<Exclude<BootArch, 'bios'>, string>

/** Directories of Debian's and Fedora's packages, searched where none is configured. */
export const packagedDirs = ['/usr/lib/ipxe', '/usr/share/ipxe'] as const

/** What installs the programs of a PC. */
export const installCommand = 'sudo apt-get install -y ipxe'

/** All programs. */
export const bootPrograms: readonly BootProgram[] = [
  ...['undionly.kpxe', 'ipxe.lkrn'].map(
    (file): BootProgram => ({
      arch: 'bios',
      name: `bios/${file}`,
      sources: [`bios/${file}`, `bin/${file}`, file],
    }),
  ),
  ...Object.entries(ipxeNames).flatMap(([arch, ipxe]) =>
    ['snponly', 'ipxe'].map(
      (stem): BootProgram => ({
        arch: arch as BootArch,
        name: `${arch}/${stem}.efi`,
        sources: [
          `${arch}/${stem}.efi`,
          `bin-${ipxe}-efi/${stem}.efi`,
          `${ipxe}-efi/${stem}.efi`,
          `${stem}-${ipxe}.efi`,
          // What has no architecture in its name is for PCs.
          ...(arch === 'x64' ? [`${stem}.efi`] : []),
        ],
      }),
    ),
  ),
]

/** Programs without which ordinary PCs do not boot. */
export const expectedPrograms = ['bios/undionly.kpxe', 'x64/snponly.efi', 'x64/ipxe.efi'] as const

/** Names that a DHCP server of the site may have been told by hand, and what they mean. */
export const bareNames: ReadonlyMap<string, string> = new Map([
  ['undionly.kpxe', 'bios/undionly.kpxe'],
  ['snponly.efi', 'x64/snponly.efi'],
  ['ipxe.efi', 'x64/ipxe.efi'],
  ['snponly-arm64.efi', 'arm64/snponly.efi'],
  ['ipxe-arm64.efi', 'arm64/ipxe.efi'],
])

/** The script that iPXE looks for beside the program that it was loaded as. */
export const autoexecName = 'autoexec.ipxe'
