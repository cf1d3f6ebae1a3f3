/**
 * The scripts that iPXE gets. Pure: values in, text out. Every fetch has a `--timeout` (iPXE waits for a stalled body for
 * ever), every failure a way on, every way on an end: the reason on the screen and the next boot device.
 *
 * iPXE has no quoting. What goes into a script is made of harmless characters by its type (identities, host names,
 * checked kernel arguments) or percent-encoded (file names); texts go through {@link plain}.
 */
import { BOOT_TRIES_MAX } from '../../src/limits.js'
import { scriptPath } from './boot-choice.js'

/** iPXE gives up on a fetch that makes no progress for this time. */
const fetchTimeoutMs = 3000

/** Between two of its questions a node waits no longer, seconds; a power of two, since iPXE can only double and compare. */
const waitMaxS = 32

/** An operator who lets a machine boot waits for it no longer, seconds. */
const holdWaitS = 10

/** How long the prompt for the shell waits before the next boot device is tried, milliseconds. */
const promptMs = 15_000

/** A file to fetch. */
export interface ScriptFile {
  /** Shown on the screen. */
  readonly name: string
  readonly url: string
}

/** What the script of one node is made from. */
export interface ScriptNode {
  /** Where the node reaches the HTTP listener: `10.0.0.1:8480`. */
  readonly http: string
  /** `aa:bb:cc:dd:ee:ff`. */
  readonly mac: string
  readonly hostname: string
  /** iPXE's name of the architecture. */
  readonly arch: string
  /** Tries that have failed so far. */
  readonly tries: number
}

/** A boot. */
export interface ScriptBoot {
  readonly version: number
  readonly kernel: ScriptFile
  readonly stage1: ScriptFile
  /** `https://10.0.0.1:8443` */
  readonly server: string
  /** 32 hex digits; a secret (docs/tickets.md). */
  readonly ticket: string
  /** Checked by `kernelArgsMistake`. */
  readonly kernelArgs: string
}

/** Where agents look for HTTP unless they are told (initramfs-agent/src/io/boot/options). */
const agentsHttpPort = 8480

/** The same for every machine: finds the card that was booted from, and fetches that machine's own script. */
export function autoexecScript(http: string): string {
  return lines(
    `isset ${setting('ip')} || dhcp || goto failed`,
    `set bs-mac ${setting('netX/mac:hexhyp')}`,
    `isset ${setting('bs-mac')} || set bs-mac ${setting('net0/mac:hexhyp')}`,
    ...ask(`http://${http}${scriptPath(setting('bs-mac'))}`),
    ...failed('no script from the bootswarm server'),
  )
}

/** Asks the machine what it is: an iPXE for BIOS is 32 bits wide on any processor. */
export function archScript(http: string, mac: string): string {
  return lines(
    `cpuid --ext 29 && set bs-arch x86_64 || set bs-arch ${setting('buildarch')}`,
    ...ask(`http://${http}${scriptPath(mac)}?arch=${setting('bs-arch')}`),
    ...failed('no script from the bootswarm server'),
  )
}

/** Loads kernel and stage 1, and starts them. After a failure it asks for a script again. */
export function bootScript(node: ScriptNode, boot: ScriptBoot): string {
  const { kernel, stage1 } = boot
  const words = [
    'initrd=stage1',
    `bootswarm.server=${boot.server}`,
    ...(node.http.endsWith(`:${agentsHttpPort}`) ? [] : [`bootswarm.http=http://${node.http}`]),
    `bootswarm.node=${node.mac}`,
    `BOOTIF=01-${node.mac.replaceAll(':', '-')}`,
    `bootswarm.ticket=${boot.ticket}`,
    boot.kernelArgs,
  ]
  const fetch = `--timeout ${fetchTimeoutMs}`
  return lines(
    `echo bootswarm: ${title(node)} loads version ${boot.version}: ${plain(kernel.name)}, ${plain(stage1.name)}`,
    'imgfree',
    `kernel ${fetch} --name vmlinuz ${kernel.url} ${words.filter((word) => word !== '').join(' ')} || goto again`,
    `initrd ${fetch} --name stage1 ${stage1.url} || goto again`,
    'boot || goto failed',
    ':again',
    'imgfree',
    ...tryAgain(node, 'kernel or stage 1 did not come'),
    ...failed('kernel or stage 1 did not start'),
  )
}

/** Says which place in the queue the machine has, waits, and asks again. */
export function waitScript(
  node: ScriptNode,
  place: { position: number; of: number; sleepS: number },
): string {
  const { position, of, sleepS } = place
  return lines(
    `echo bootswarm: ${title(node)} is number ${position} of ${of} in the queue`,
    ...(sleepS > 0 ? [`sleep ${sleepS}`] : []),
    ...ask(urlOf(node, node.tries)),
    ...failed('no answer from the bootswarm server'),
  )
}

/** Says what is wrong and asks again a bounded number of times: the operator may be mending it. */
export function problemScript(node: ScriptNode, reason: string): string {
  return lines(...tryAgain(node, reason), ...failed(reason))
}

/** Says what holds the machine back, and asks again for as long as it takes: nothing is wrong with it. */
export function holdScript(node: ScriptNode, reason: string): string {
  return lines(
    `echo bootswarm: ${title(node)}: ${plain(reason)}`,
    `sleep ${holdWaitS}`,
    ...ask(urlOf(node, 1)),
    ...failed('no answer from the bootswarm server'),
  )
}

/** Boots from the machine's own disk. */
export function diskScript(node: ScriptNode): string {
  return lines(
    `echo bootswarm: ${title(node)} boots from its own disk, this once`,
    // UEFI's boot manager goes on to its next boot option after a program that fails (UEFI 2.10, 3.1.1). Of BIOSes many do
    // not, so iPXE boots the first disk itself.
    `iseq ${setting('platform')} pcbios || exit 1`,
    'sanboot --no-describe --drive 0x80 || goto failed',
    ...failed('its own disk did not boot'),
  )
}

/** Opens iPXE's shell. Who leaves it with `exit` boots as always. */
export function shellScript(node: ScriptNode): string {
  return lines(
    `echo bootswarm: ${title(node)} opens the shell of iPXE, this once. After exit it boots as always`,
    'shell ||',
    ...ask(`http://${node.http}${scriptPath(node.mac)}`),
    ...failed('no answer from the bootswarm server'),
  )
}

/** How long a node waits after this many failures, seconds. */
export function waitAfterS(tries: number): number {
  return Math.min(2 ** tries, waitMaxS)
}

/** Text for the screen without anything that iPXE would take for its own. */
export function plain(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/[${}#&|;]/g, '_')
    .slice(0, 120)
}

function title({ hostname, mac }: ScriptNode): string {
  return `${plain(hostname)} (${mac})`
}

function urlOf({ http, mac, arch }: ScriptNode, tries: number): string {
  return `http://${http}${scriptPath(mac)}?arch=${encodeURIComponent(arch)}&tries=${tries}`
}

function tryAgain(node: ScriptNode, reason: string): string[] {
  const tries = node.tries + 1
  if (tries >= BOOT_TRIES_MAX) return [`echo bootswarm: ${plain(reason)}`, 'goto failed']
  const waitS = waitAfterS(node.tries)
  return [
    `echo bootswarm: ${plain(reason)}. Try ${tries} of ${BOOT_TRIES_MAX}, the next in ${waitS} s`,
    `sleep ${waitS}`,
    ...ask(urlOf(node, tries)),
  ]
}

/** Fetches the next script in place of this one; goes on below when that fails again and again. */
function ask(url: string): string[] {
  return [
    'set bs-tries:int32 0',
    'set bs-wait:int32 1',
    ':ask',
    `chain --autofree --replace --timeout ${fetchTimeoutMs} ${url} ||`,
    'inc bs-tries',
    `iseq ${setting('bs-tries')} ${BOOT_TRIES_MAX} && goto failed ||`,
    `echo bootswarm: no answer from the server, asking again in ${setting('bs-wait')} s`,
    `sleep ${setting('bs-wait')}`,
    `iseq ${setting('bs-wait')} ${waitMaxS} || inc bs-wait ${setting('bs-wait')}`,
    'goto ask',
  ]
}

function failed(reason: string): string[] {
  return [
    ':failed',
    `echo bootswarm gives up: ${plain(reason)}. What iPXE said is above`,
    `prompt --key s --timeout ${promptMs} Press s for a shell; the next boot device follows in ${promptMs / 1000} s && shell ||`,
    'exit 1',
  ]
}

/** A value that iPXE fills in. */
function setting(name: string): string {
  return `\${${name}}`
}

function lines(...all: string[]): string {
  return `#!ipxe\n${all.join('\n')}\n`
}
