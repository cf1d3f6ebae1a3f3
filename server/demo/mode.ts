/**
 * `--demo N`: the server on a demo site of its own, with free ports, beside N local agents. Touches neither the
 * configured artifacts nor the configured data.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { installedAgent, root } from '../../host/agent-binary.js'
import type { Config } from '../../src/config.js'
import { BootswarmError } from '../../src/errors.js'
import { becomeUser, logPrivileges } from '../privileges/become.js'
import type { Logger } from '../process/log.js'
import { type RunningServer, startServer } from '../server.js'
import { makeDemoSite, runDemo } from './index.js'

/** Agents that one machine is asked to run. */
const nodesMax = 500

/** The values of `--demo`, `--once` and `--json`. */
export interface DemoFlags {
  readonly nodes: number
  readonly json: boolean
  /** {@link ServerOptions.noNamespace} */
  readonly noNamespace?: string | undefined
}

/** A demo whose nodes have all finished; the server runs on, and the nodes seed, until `stop`. */
export interface RunningDemo {
  readonly server: RunningServer
  readonly allBooted: boolean
  stop(): Promise<void>
}

/**
 * Reads the value of `--demo`.
 *
 * @throws BootswarmError USAGE_INVALID
 */
export function parseDemoNodes(value: string): number {
  const nodes = /^[1-9][0-9]{0,3}$/.test(value) ? Number(value) : 0
  if (nodes < 1 || nodes > nodesMax) {
    throw new BootswarmError('USAGE_INVALID', `--demo needs a number of nodes from 1 to ${nodesMax}`)
  }
  return nodes
}

/**
 * Makes the site, starts the server, boots the nodes. `onStop` gets what ends all that
 * runs so far, whenever that becomes more.
 *
 * @throws BootswarmError AGENT_MISSING, and what starting a server throws
 */
export async function runDemoMode(
  { nodes, json, noNamespace }: DemoFlags,
  config: Config,
  log: Logger,
  onStop: (stop: () => Promise<void>) => void,
): Promise<RunningDemo> {
  const agent = installedAgent()
  const directory = join(config.data_dir, 'demo')
  await rm(directory, { recursive: true, force: true })
  // All of the demo, its agents too, is that user's, and no port needs root.
  const { user, group, seeder, dht } = demoConfig(config, directory, '')
  const privileges = becomeUser({
    ...{ user, group, seeder, dht, data_dir: directory },
    database: join(directory, 'lock'),
    files: [agent, join(root, 'docs', 'architecture.md')],
    noNamespace,
  })
  privileges.drop()
  logPrivileges(privileges, log)
  const { artifactsDir, payloadBytes } = await makeDemoSite(root, agent, directory)
  const asItIs = { ...demoConfig(config, directory, artifactsDir), user: 'root' }
  const server = await startServer({ config: asItIs, isAddressAuto: true, log })
  onStop(() => server.stop())
  await firstVersion(server)
  const { trustDir, ports } = server
  let stop = () => server.stop()
  const demo = await runDemo({
    nodes,
    agent,
    directory,
    trustDir,
    httpsPort: ports.https,
    payloadBytes,
    json,
    onStarted: (stopNodes) => {
      stop = async () => {
        await stopNodes()
        await server.stop()
      }
      onStop(stop)
    },
  })
  return { server, allBooted: demo.allBooted, stop: () => stop() }
}

function demoConfig(config: Config, directory: string, artifactsDir: string): Config {
  return {
    ...config,
    site: 'demo',
    data_dir: join(directory, 'data'),
    database: join(directory, 'data', 'bootswarm.sqlite'),
    artifacts_dir: artifactsDir,
    http: { ...config.http, port: 0 },
    https: { ...config.https, port: 0 },
    seeder: { ...config.seeder, port: 0 },
    dht: { ...config.dht, port: 0 },
    operators: { ...config.operators, enabled: false },
    netboot: { ...config.netboot, mode: 'off' },
  }
}

function firstVersion({ catalog }: RunningServer): Promise<void> {
  return new Promise((resolve) => {
    if (catalog.live.current !== undefined) return resolve()
    const forget = catalog.onChange(() => {
      forget()
      resolve()
    })
  })
}
