#!/usr/bin/env node
/**
 * The program: reads arguments and environment, starts the server (or the demo), and ends it at a signal.
 * Exit codes: 0 ended as asked, 1 failed, 2 wrong arguments or configuration, 70 an error that nobody expected
 * (process/crash.ts).
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { complain, printLines, printText } from '../host/console.js'
import { readInterfaces } from '../host/interfaces.js'
import { programVersion } from '../host/program-version.js'
import type { Flag } from '../src/command-line.js'
import { changesAtRestart } from '../src/config-diff.js'
import { BootswarmError, type ErrorCode } from '../src/errors.js'
import { formatIpPort } from '../src/net.js'
import { helpText, type LoadedConfig, loadConfig } from './config/load.js'
import { enterNamespace } from './privileges/enter-namespace.js'
import { logCrash } from './process/crash.js'
import { createLog, type Logger } from './process/log.js'
import type { RunningServer } from './server.js'
import { bootsFrom } from './wiring/address-log.js'

const extraFlags: readonly Flag[] = [
  { name: 'demo', value: 'N', description: 'make a demo site and boot N local agents from it' },
  { name: 'once', description: 'with --demo: end when all nodes are done; exit code 0 if all booted' },
  { name: 'json', description: 'with --demo: print only a summary, as JSON' },
  { name: 'version', description: 'print the version' },
]

/** Mistakes of the command line and the configuration: exit code 2. */
const usageCodes: readonly ErrorCode[] = [
  'CONFIG_INVALID',
  'CONFIG_UNKNOWN_KEY',
  'CONFIG_UNREADABLE',
  'USAGE_INVALID',
]

/** A stop that takes longer is forced, milliseconds. */
const stopMs = 15_000

/**
 * systemd signals every process of a service, and npm and the process outside of a mount namespace hand theirs on, late where the
 * machine is busy: milliseconds.
 */
const sameSignalMs = 2_000

async function main(): Promise<void> {
  const loaded = load()
  if (loaded.flags.has('help')) return printText(helpText(extraFlags))
  if (loaded.flags.has('version')) return printLines([`bootswarm ${programVersion()}`])
  const demo = loaded.flags.get('demo')
  if (typeof demo === 'string') return serveDemo(demo, loaded)
  for (const name of ['once', 'json']) {
    if (loaded.flags.has(name)) throw new BootswarmError('USAGE_INVALID', `--${name} goes with --demo`)
  }
  const noNamespace = await enterNamespace(loaded, false, import.meta.url, process.argv.slice(2))
  // Not before: a process that waits outside of a mount namespace stays small.
  const { startServer } = await import('./server.js')
  const log = createLog({ ...loaded.config.log, isTerminal: process.stdout.isTTY === true })
  logCrash(log)
  const ending = onSignals(log)
  const reloading = onReload(loaded, log)
  const server = await startServer({
    config: loaded.config,
    placeOf: loaded.placeOf,
    configFile: loaded.file,
    noNamespace,
    isAddressAuto: loaded.isAddressAuto,
    log,
  })
  ending.ends(() => server.stop())
  reloading.of(server)
  logReady(server, loaded, log)
  await giveFirstToken(server, log)
}

/**
 * The first start gives a token for everything. It goes to the terminal of who started the server and nowhere else: a log
 * or a journal is kept and read by others.
 */
async function giveFirstToken({ operators }: RunningServer, log: Logger): Promise<void> {
  if (process.stdout.isTTY !== true) {
    if (!operators.lacksToken()) return
    const remedy = 'sudo ./bootswarm token new --role admin'
    const text = `Nobody has a token for the operators' port yet: ${remedy} makes one; on this machine none is needed`
    log.info({ event: 'operators.no-token', remedy }, text)
    return
  }
  try {
    const token = await operators.makeFirstToken()
    if (token === undefined) return
    printLines([
      '',
      'The token of the first administrator, for the operators’ port. It is shown this once:',
      token,
      '',
    ])
  } catch (error) {
    log.error({ event: 'operators.first-token-failed', err: error }, 'The first token could not be made')
  }
}

/** The demo prints to standard output, so the log goes to standard error, warnings and errors only. */
async function serveDemo(demo: string, loaded: LoadedConfig): Promise<void> {
  const { config, flags } = loaded
  const { parseDemoNodes, runDemoMode } = await import('./demo/mode.js')
  const nodes = parseDemoNodes(demo)
  const noNamespace = await enterNamespace(loaded, true, import.meta.url, process.argv.slice(2))
  const json = flags.has('json')
  const level = config.log.level === 'info' ? 'warn' : config.log.level
  const log = createLog({
    ...config.log,
    level,
    destination: 'stderr',
    isTerminal: process.stderr.isTTY === true,
  })
  logCrash(log)
  const ending = onSignals(log)
  const running = await runDemoMode({ nodes, json, noNamespace }, config, log, ending.ends)
  if (flags.has('once')) {
    await running.stop()
    process.exit(running.allBooted ? 0 : 1)
  }
  if (!json) printLines(['The nodes seed on, and the server waits for more. Ctrl-C ends it.'])
}

/** Ends the process cleanly at SIGTERM and SIGINT, and at once at a second one. */
function onSignals(log: Logger): { ends(stop: () => Promise<void>): void } {
  let stop: (() => Promise<void>) | undefined
  let stoppingMs: number | undefined
  const end = () => {
    void stop?.().then(() => {
      log.info({ event: 'server.stopped' }, 'Ended')
      process.exit(0)
    })
  }
  const onStop = (signal: NodeJS.Signals) => {
    const nowMs = performance.now()
    if (stoppingMs !== undefined) {
      if (nowMs - stoppingMs > sameSignalMs) process.exit(1)
      return
    }
    stoppingMs = nowMs
    log.info({ event: 'server.stopping', signal }, 'Ending; a second signal forces it')
    setTimeout(() => process.exit(1), stopMs).unref()
    end()
  }
  process.on('SIGTERM', onStop)
  process.on('SIGINT', onStop)
  return {
    ends: (next) => {
      stop = next
      // A signal in the middle of the start: end as soon as there is something to end.
      if (stoppingMs !== undefined) end()
    },
  }
}

/** Reads the configuration again at SIGHUP; one in the middle of the start, which would end the process, waits for its end. */
function onReload(first: LoadedConfig, log: Logger): { of(server: RunningServer): void } {
  let server: RunningServer | undefined
  let isAsked = false
  process.on('SIGHUP', () => {
    if (server === undefined) isAsked = true
    else reload(server, first, log)
  })
  return {
    of: (started) => {
      server = started
      if (isAsked) reload(server, first, log)
    },
  }
}

/** What cannot change while the server runs is told, compared with what it was started with. */
function reload(server: RunningServer, first: LoadedConfig, log: Logger): void {
  try {
    const { config, placeOf, isAddressAuto } = load()
    // An automatic address follows the machine without any restart.
    const address = isAddressAuto && first.isAddressAuto ? first.config.address : config.address
    const restart = changesAtRestart(first.config, { ...config, address }).map(({ name }) => name)
    server.reload(config, placeOf)
    log.info(
      { event: 'server.reloaded', restart },
      `Read profiles, groups, nodes, racks, settings, kernel arguments, root and log level again${restart.length === 0 ? '' : `; a restart is needed for ${restart.join(', ')}`}`,
    )
  } catch (error) {
    log.error(
      { event: 'server.reload-failed', err: error },
      'The configuration is wrong; the one before stays',
    )
  }
}

function logReady(server: RunningServer, { config, file }: LoadedConfig, log: Logger): void {
  const { ports, trustDir } = server
  const url = `https://${formatIpPort(server.address(), ports.https)}`
  log.info(
    {
      event: 'server.ready',
      ports,
      url,
      artifactsDir: config.artifacts_dir,
      trustDir,
      config: file ?? 'defaults',
    },
    `READY. ${bootsFrom(server.address(), ports.https)} What they boot lies in ${config.artifacts_dir}: ${whatIsMissing(config.artifacts_dir)}plugins go into plugins/.`,
  )
}

/** The commands that make what no node boots without. */
function whatIsMissing(artifactsDir: string): string {
  const commands = [
    { folder: 'boot', text: './bootswarm image stage1 makes kernel and stage 1, ' },
    { folder: 'rootfs', text: './bootswarm image rootfs makes a root file system, ' },
  ]
  return commands.flatMap(({ folder, text }) => (isEmpty(join(artifactsDir, folder)) ? [text] : [])).join('')
}

function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0
  } catch {
    return true
  }
}

function load(): LoadedConfig {
  return loadConfig({
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    interfaces: readInterfaces(),
    extraFlags,
  })
}

function fail(error: unknown): void {
  const known = error instanceof BootswarmError
  complain(known ? `${error.code}: ${error.message}` : String((error as Error).stack ?? error))
  process.exit(known && usageCodes.includes(error.code) ? 2 : 1)
}

process.on('uncaughtException', fail)
await main().catch(fail)
