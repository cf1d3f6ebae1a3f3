/**
 * Which program a machine boots first, by what its firmware reports (DHCP options 93, 60, 77, 175). Pure; DHCP,
 * TFTP and the HTTP routes share the names that are made here.
 */

/** The processors that a boot program is made for; also the directory of its programs. */
export type BootArch =
  | 'bios'
  | 'ia32'
  | 'x64'
  | 'arm32'
  | 'arm64'
  | 'riscv32'
  | 'riscv64'
  | 'loong32'
  | 'loong64'

/** The meaning of a code of option 93. */
export interface FirmwareKind {
  readonly arch: BootArch
  /** How it fetches its program: by TFTP, or UEFI HTTP boot. */
  readonly by: 'tftp' | 'http'
}

const kind = (arch: BootArch, by: 'tftp' | 'http' = 'tftp'): FirmwareKind => ({ arch, by })

/** Processor architecture types (IANA, RFC 4578 2.1 and its erratum: 7 and 9 are both x64 in the field). */
const kinds: ReadonlyMap<number, FirmwareKind> = new Map([
  [0, kind('bios')],
  [6, kind('ia32')],
  [7, kind('x64')],
  [9, kind('x64')],
  [10, kind('arm32')],
  [11, kind('arm64')],
  [15, kind('ia32', 'http')],
  [16, kind('x64', 'http')],
  [17, kind('x64', 'http')],
  [18, kind('arm32', 'http')],
  [19, kind('arm64', 'http')],
  [20, kind('bios', 'http')],
  [25, kind('riscv32')],
  [26, kind('riscv32', 'http')],
  [27, kind('riscv64')],
  [28, kind('riscv64', 'http')],
  [37, kind('loong32')],
  [38, kind('loong32', 'http')],
  [39, kind('loong64')],
  [40, kind('loong64', 'http')],
])

/** The kind of a code; undefined for an unknown one. Never guessed: BIOS programs hang UEFI machines. */
function firmwareKind(code: number): FirmwareKind | undefined {
  return kinds.get(code)
}

/** The first boot program of an architecture as TFTP names it, `ARCH/FILE`. */
export function tftpFile(arch: BootArch): string {
  return arch === 'bios' ? 'bios/undionly.kpxe' : `${arch}/snponly.efi`
}

/** The first boot program of an architecture over UEFI HTTP boot, as a path of the HTTP listener. */
function httpFile(arch: BootArch): string {
  return arch === 'bios' ? '/v1/ipxe/bin/bios/ipxe.lkrn' : `/v1/ipxe/bin/${arch}/ipxe.efi`
}

/** The iPXE script of a node, as a path of the HTTP listener. The address with dashes: `aa-bb-cc-dd-ee-ff`. */
export function scriptPath(mac: string): string {
  return `/v1/ipxe/script/${mac.replaceAll(':', '-')}`
}

/** What a client reports about itself. */
export interface BootClient {
  /** Ethernet address, `aa:bb:cc:dd:ee:ff`. */
  readonly mac: string
  /** Option 93, in the client's order. */
  readonly archCodes: readonly number[]
  /** Option 60 begins with `HTTPClient`. */
  readonly isHttpClient: boolean
  /** Option 77 says iPXE (any build of it, not ours alone). */
  readonly isIpxe: boolean
  /** iPXE's feature codes (option 175); undefined if it lists none. */
  readonly ipxeFeatures?: ReadonlySet<number>
}

/** Where this client reaches our HTTP listener: `10.0.0.1:8480`. */
export type HttpAuthority = string

/** What it is told to load; `refused` says why it is told nothing. */
export type BootChoice =
  | { readonly kind: 'script'; readonly url: string }
  | { readonly kind: 'tftp'; readonly arch: BootArch; readonly file: string }
  | { readonly kind: 'http'; readonly arch: BootArch; readonly url: string }
  | { readonly kind: 'refused'; readonly reason: string }

/** What a machine shall load when it reaches us at an address; undefined if it does not ask for network boot. */
export type BootFor = ((server: number) => BootChoice) | undefined

/** iPXE's feature codes (its `features.h`). */
const ipxeFeatureHttp = 0x13

/** The first three bytes of Raspberry Pi addresses: their ROM says 0 (BIOS) and means something of its own. */
const raspberryPi = ['28:cd:c1', '2c:cf:67', '88:a2:9e', 'b8:27:eb', 'd8:3a:dd', 'dc:a6:32', 'e4:5f:01']

/** Chooses by capability: iPXE with HTTP gets its script, all others the boot program of their architecture. */
export function chooseBoot(client: BootClient, http: HttpAuthority): BootChoice {
  const features = client.ipxeFeatures
  if (client.isIpxe && (features === undefined || features.has(ipxeFeatureHttp))) {
    return { kind: 'script', url: `http://${http}${scriptPath(client.mac)}` }
  }
  const wanted = client.isHttpClient ? 'http' : 'tftp'
  const found = client.archCodes.map(firmwareKind).find((known) => known?.by === wanted)
  if (found === undefined) {
    const codes = client.archCodes.join(', ')
    return {
      kind: 'refused',
      reason:
        codes === ''
          ? 'it does not say its architecture (option 93)'
          : `no boot program over ${wanted.toUpperCase()} is known for its architecture code ${codes} (option 93)`,
    }
  }
  const { arch } = found
  if (arch === 'bios' && !client.isIpxe && raspberryPi.includes(client.mac.slice(0, 8))) {
    return { kind: 'refused', reason: 'a Raspberry Pi’s own ROM loads no PC boot program' }
  }
  return wanted === 'http'
    ? { kind: 'http', arch, url: `http://${http}${httpFile(arch)}` }
    : { kind: 'tftp', arch, file: tftpFile(arch) }
}
