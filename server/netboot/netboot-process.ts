/**
 * The netboot process: DHCP and TFTP, whose clients wait for milliseconds, on an event loop that nothing else is on.
 * Opens its ports as root where the daemon was started as root, then gives root up for good.
 */

import { setTimeout } from 'node:timers/promises'
import { BootswarmError } from '../../src/errors.js'
import { SharedLineBudget } from '../../src/line-budget.js'
import { TokenBucket } from '../../src/token-bucket.js'
import { endWithParent, tellReady, tellRetired, toParent } from '../process/child.js'
import { DhcpService } from './dhcp/service.js'
import { FactBatch } from './fact-batch.js'
import type { FromNetboot, StartNetboot, ToNetboot } from './messages.js'
import type { NetbootLog, NetbootService } from './service.js'
import { TftpService } from './tftp-service.js'

/** The daemon is told the counters this often, and while TFTP sends at each look: others yield to it meanwhile. */
const statsEveryLooks = 4
const statsLookMs = 250
/** A transfer gives up by itself; a client that acknowledges for ever does not keep a retired process. */
const retiredMaxMs = 10 * 60_000
const idleLookMs = 200
/** The process before this one may not have ended yet when the daemon was killed. */
const inUseMs = 3_000
const againMs = 100

endWithParent()
const send = (message: FromNetboot): void => toParent(message)
/** Each exchange has a line of level debug: sent in vain, they would cost as much as its answers. */
let isVerbose = false
/**
 * Anybody can cause lines, and each is a message that waits in memory while the daemon is busy. A farm that is switched on
 * has three of them for each machine; what an operator must see is not to drown in those.
 */
const lines = { usual: new SharedLineBudget(200, 4096), urgent: new SharedLineBudget(20, 256) }
const log: NetbootLog = (level, event, facts, text) => {
  if (level === 'debug' && !isVerbose) return
  const isUrgent = level === 'warn' || level === 'error'
  const whose = `${facts.mac ?? facts.address ?? ''}`
  const leftOut = lines[isUrgent ? 'urgent' : 'usual'].take(whose, performance.now())
  if (leftOut === undefined) return
  send({ type: 'log', level, event, facts: leftOut > 0 ? { ...facts, leftOut } : facts, text })
}
/** Machines behind relays that the daemon is told of, for the same reason. */
const sightings = new TokenBucket(500, 4096)

const facts = new FactBatch({
  send: (batch, leftOut) => send({ type: 'facts', facts: batch, leftOut }),
  elapsedMs: () => performance.now(),
  nowMs: () => Date.now(),
  after: (ms, run) => void setTimeout(ms).then(run),
})

let tftp: TftpService | undefined
const services: Record<string, NetbootService> = {}
let reporting: NodeJS.Timeout | undefined

process.on('message', (message: ToNetboot) => {
  if (message.type === 'programs') {
    tftp?.setPrograms(message.programs)
    return
  }
  if (message.type === 'replace') return
  if (message.type === 'retire') return retire()
  start(message).catch((error: unknown) => {
    const code = error instanceof BootswarmError ? error.code : 'NETBOOT_FAILED'
    send({ type: 'failed', code, message: error instanceof Error ? error.message : String(error) })
    // Whoever started it tries again after a while.
    return setTimeout(againMs).then(() => process.exit(1))
  })
})

async function start({ account, dhcp, tftp: tftpStart, ...start }: StartNetboot): Promise<void> {
  isVerbose = start.isVerbose
  let dhcpService: DhcpService | undefined
  if (dhcp !== undefined) {
    dhcpService = new DhcpService(dhcp, log, {
      keep: (changes) => send({ type: 'leases', changes }),
      otherServer: (address) => send({ type: 'other-server', address }),
      fact: (fact) => facts.add(fact),
      seen: (mac, relayPort) => {
        if (sightings.take(1, performance.now())) send({ type: 'seen', mac, relayPort })
      },
    })
    services.dhcp = dhcpService
  }
  if (tftpStart !== undefined) {
    tftp = new TftpService(tftpStart, log, (fact) => facts.add(fact))
    services.tftp = tftp
  }
  if (account !== undefined) process.seteuid?.(0)
  // When the first has its ports, the process before this one is gone.
  const [first, ...others] = Object.values(services)
  if (first !== undefined) await patiently(() => first.bind())
  for (const service of others) await service.bind()
  if (account !== undefined) {
    process.setgroups?.([account.gid])
    process.setgid?.(account.gid)
    process.setuid?.(account.uid)
  }
  send({ type: 'started' })
  const report = () => {
    // Its sockets are bound to what is gone, and a process that has dropped root opens no others.
    if (dhcpService?.isStale()) send({ type: 'stale' })
    send({
      type: 'stats',
      services: Object.fromEntries(
        Object.entries(services).map(([name, service]) => [name, service.stats()]),
      ),
    })
  }
  report()
  let looks = 0
  let wasBusy = false
  reporting = setInterval(() => {
    looks += 1
    const isBusy = tftp?.isBusy() ?? false
    // Once more when all is sent.
    if (isBusy || wasBusy || looks % statsEveryLooks === 0) report()
    wasBusy = isBusy
  }, statsLookMs)
}

/** Another process takes the ports over; transfers that run are finished here. */
function retire(): void {
  clearInterval(reporting)
  const all = Object.values(services)
  for (const service of all) service.retire()
  facts.flush()
  tellRetired()
  const endMs = performance.now() + retiredMaxMs
  setInterval(() => {
    if (!all.some((service) => service.isBusy()) || performance.now() > endMs) process.exit(0)
  }, idleLookMs)
}

/** Waits for ports that are in use. */
async function patiently(bind: () => Promise<void>): Promise<void> {
  const endMs = performance.now() + inUseMs
  for (;;) {
    try {
      return await bind()
    } catch (error) {
      const isInUse = error instanceof BootswarmError && error.code === 'ADDRESS_IN_USE'
      if (!isInUse || performance.now() > endMs) throw error
      await setTimeout(againMs)
    }
  }
}

tellReady()
