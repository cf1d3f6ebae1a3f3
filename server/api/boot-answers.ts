/**
 * The answers to the HTTP routes of network boot: which script a node gets, from catalog, configuration and queue.
 */
import type { Hold } from '../../src/admit.js'
import { type KernelArch, kernelArch } from '../../src/arch.js'
import type { ErrorCode } from '../../src/errors.js'
import { kernelWord } from '../../src/kernel-args.js'
import { SharedLineBudget } from '../../src/line-budget.js'
import { addressOwner, formatUrlHost } from '../../src/net.js'
import { type NextBoot, nextBootFacts } from '../../src/next-boot.js'
import type { NodeConfig } from '../../src/node-config.js'
import { isNodeId } from '../../src/node-id.js'
import type { Fact, FactData } from '../../src/timeline.js'
import type { CatalogArtifact, CatalogVersion } from '../catalog/versions.js'
import type { BootDownload, BootFetch, NetbootAnswers, ScriptRequest } from '../http/services.js'
import type { BootAdmission } from '../netboot/admission.js'
import { bootFileRole, chooseBootFiles } from '../netboot/boot-files.js'
import { autoexecName } from '../netboot/boot-programs.js'
import {
  archScript,
  autoexecScript,
  bootScript,
  diskScript,
  holdScript,
  problemScript,
  type ScriptFile,
  type ScriptNode,
  shellScript,
  waitScript,
} from '../netboot/ipxe-script.js'
import type { NextBoots } from '../nodes/next-boots.js'
import type { Tickets } from '../nodes/tickets.js'
import type { Logger } from '../process/log.js'

/** Refusals in the log: a whole farm without its files at once, and no end of lines by a machine that invents others. */
const refusalLines = { perSecond: 2, burst: 512 } as const

/** What the answers are made from. */
export interface BootSources {
  readonly admission: BootAdmission
  readonly program: (name: string) => Uint8Array | undefined
  readonly currentVersion: () => CatalogVersion | undefined
  readonly describe: (id: string, address: string) => NodeConfig
  /** The same in a boot with something that it gets once. */
  readonly describeOnce: (id: string, address: string, once: NextBoot) => NodeConfig
  /** What nodes boot once. */
  readonly nextBoots: Pick<NextBoots, 'ipxeStarted' | 'ofScript' | 'take'>
  /** What holds a machine back from booting, if anything does. */
  readonly holdOf: (mac: string, address: string) => Hold | undefined
  /** A node tells the architecture of its processor, before it is described. */
  readonly archSeen: (id: string, arch: KernelArch) => void
  /** The address that a client uses for us, from the one that its connection arrived at. */
  readonly reachedAt: (address: string) => string
  readonly tickets: Pick<Tickets, 'issue' | 'stage1Left'>
  /** Told what happens to machines. */
  readonly fact: (fact: Fact) => void
  readonly log: Logger
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number
  /** Wall clock, milliseconds since 1970. */
  readonly wallMs: () => number
  readonly ports: () => { readonly http: number; readonly https: number }
}

/** Puts the answers together. */
export function makeBootAnswers(sources: BootSources): NetbootAnswers {
  const refusals = new SharedLineBudget(refusalLines.perSecond, refusalLines.burst)
  const httpAt = (serverAddress: string) =>
    `${formatUrlHost(sources.reachedAt(serverAddress))}:${sources.ports().http}`
  return {
    program: (name, serverAddress) => {
      const [, file] = name.split('/')
      if (file === autoexecName) return Buffer.from(autoexecScript(httpAt(serverAddress)))
      return sources.program(name)
    },
    script: (request) => script(request, httpAt(request.serverAddress), sources, refusals),
    programSent: ({ name: file, address, sentBytes, sizeBytes, isWhole }) =>
      sources.fact(
        isWhole
          ? { source: 'http', type: 'program.sent', address, data: { file, bytes: sizeBytes } }
          : {
              ...{ source: 'http', type: 'program.broken-off', address },
              data: { file, bytes: sentBytes, of_bytes: sizeBytes, why: 'closed' },
            },
      ),
    fetch: (download) => fetchTold(download, sources),
  }
}

/** What lets a machine boot that is held back; its MAC follows. */
const remedies: Readonly<Record<Hold['code'], string>> = {
  NODE_NOT_ADMITTED: 'bootswarm node approve',
  NODE_DRAINED: 'bootswarm node drain --clear',
}

async function script(
  request: ScriptRequest,
  http: string,
  sources: BootSources,
  refusals: SharedLineBudget,
): Promise<string> {
  const { mac, tries, address, serverAddress, gone } = request
  const tell = (source: 'http' | 'queue', type: Fact['type'], data: FactData) =>
    sources.fact({ source, type, mac, address, data })
  tell('http', 'script.asked', { tries, ...(request.arch === undefined ? {} : { arch: request.arch }) })
  if (request.arch === undefined) {
    sources.nextBoots.ipxeStarted(mac)
    return archScript(http, mac)
  }
  const arch = kernelArch(request.arch)
  if (arch !== undefined) sources.archSeen(mac, arch)
  const config = sources.describe(mac, address)
  const node = { http, mac, hostname: config.hostname, arch: request.arch, tries }
  const say = (code: ErrorCode, reason: string) => {
    const leftOut = refusals.take(addressOwner(address), sources.nowMs())
    const facts = { event: 'netboot.refused', code, mac, address, tries, ...(leftOut ? { leftOut } : {}) }
    if (leftOut !== undefined) sources.log.warn(facts, `${mac}: ${reason}`)
  }
  const refuse = (code: ErrorCode, reason: string) => {
    say(code, reason)
    tell('http', 'script.refused', { code, why: reason })
    return problemScript(node, reason)
  }
  const hold = sources.holdOf(mac, address)
  if (hold !== undefined) {
    // It asks for as long as it takes: one line is enough.
    if (tries === 0) say(hold.code, hold.why)
    tell('http', 'script.refused', { ...hold })
    return holdScript(node, `${hold.why}: ${remedies[hold.code]} ${mac}`)
  }
  const takeOnce = async () => {
    const once = await sources.nextBoots.take(mac)
    if (once !== undefined) tell('http', 'next-boot.taken', nextBootFacts(once))
    return once
  }
  const elsewhere = elsewhereScripts[sources.nextBoots.ofScript(mac)?.from ?? 'network']
  if (elsewhere !== undefined && (await takeOnce()) !== undefined) return elsewhere(node)
  if (arch === undefined) {
    return refuse('BOOT_REFUSED', `no kernel is known for architecture ${request.arch}`)
  }
  if (filesFor(sources, arch) === undefined) return refuse('BOOT_FILES_MISSING', noKernel(arch))
  const askedMs = sources.nowMs()
  const answer = await sources.admission.ask(mac, addressOwner(address), gone)
  if (answer.kind === 'wait') {
    tell('queue', 'queue.waiting', { position: answer.position, of: answer.of })
    return waitScript(node, answer)
  }
  // Chosen now, not before the wait: a node gets one version, and the newest.
  const found = filesFor(sources, arch)
  if (found === undefined) return refuse('BOOT_FILES_MISSING', noKernel(arch))
  const { version, kernel, stage1 } = found
  const once = await takeOnce()
  const { kernelArgs } = once === undefined ? config : sources.describeOnce(mac, address, once)
  const seconds = secondsSince(askedMs, sources)
  tell('queue', 'queue.turn', { version, kernel: kernel.name, stage1: stage1.name, held_s: seconds })
  sources.log.info(
    { event: 'netboot.loads', mac, address, version, tries },
    `${config.hostname} (${mac}) may load ${kernel.name} and ${stage1.name} of version ${version}`,
  )
  const file = (artifact: CatalogArtifact): ScriptFile => ({
    name: artifact.name,
    url: `http://${http}/v1/ipxe/file/${mac.replaceAll(':', '-')}/${artifact.sha256}/${encodeURIComponent(artifact.name)}`,
  })
  return bootScript(node, {
    version,
    kernel: file(kernel),
    stage1: file(stage1),
    server: `https://${formatUrlHost(sources.reachedAt(serverAddress))}:${sources.ports().https}`,
    ticket: sources.tickets.issue({ mac, address, node: nodeOf(mac, kernelArgs) }, sources.wallMs()),
    kernelArgs,
  })
}

/** What the agent of a machine will call itself: its MAC address, unless the site's kernel arguments say otherwise. */
function nodeOf(mac: string, kernelArgs: string): string {
  const named = kernelWord(kernelArgs, 'bootswarm.node')?.toLowerCase()
  return named !== undefined && isNodeId(named) ? named : mac
}

/** Where a machine goes that is not to load kernel and stage 1. */
const elsewhereScripts: Readonly<Record<NextBoot['from'], ((node: ScriptNode) => string) | undefined>> = {
  network: undefined,
  disk: diskScript,
  shell: shellScript,
}

/** A download of kernel or stage 1, whose end is told. */
function fetchTold(download: BootDownload, sources: BootSources): BootFetch | undefined {
  const { mac, address, name: file } = download
  const fetch = sources.admission.fetch({ ...download, address: addressOwner(address) })
  if (fetch === undefined) return undefined
  const role = bootFileRole(file)
  const startedMs = sources.nowMs()
  return {
    isCrawling: () => fetch.isCrawling(),
    end: (isWhole) => {
      fetch.end(isWhole)
      if (isWhole && role === 'stage1') sources.tickets.stage1Left(mac, address, sources.wallMs())
      const data = { file, bytes: download.movedBytes(), seconds: secondsSince(startedMs, sources) }
      sources.fact({
        source: 'http',
        type: isWhole ? `${role}.sent` : `${role}.broken-off`,
        mac,
        address,
        data,
      })
    },
  }
}

function secondsSince(startedMs: number, { nowMs }: BootSources): number {
  return Math.round(nowMs() - startedMs) / 1000
}

function filesFor({ currentVersion }: BootSources, arch: KernelArch) {
  const current = currentVersion()
  const boot = current?.artifacts.filter(({ kind }) => kind === 'boot') ?? []
  const files = chooseBootFiles(boot, arch)
  return files === undefined || current === undefined ? undefined : { ...files, version: current.version }
}

function noKernel(arch: string): string {
  return `artifacts/boot on the server has no vmlinuz and stage1 for ${arch}`
}
