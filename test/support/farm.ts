/** A server with a site, and nodes that boot from it, for tests of whole boots. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { startAgent, startServer, type TestServer, until } from './processes.js'
import { scratch } from './scratch.js'
import { makeSite } from './test-site.js'

/** Starts a server that has a catalog; `yaml` is its configuration. */
export async function farm(t: TestContext, bulkBytes: number, yaml = '') {
  const directory = scratch(t)
  const site = makeSite(directory, bulkBytes)
  writeFileSync(join(directory, 'bootswarm.yaml'), yaml)
  const server = await startServer(t, directory)
  await catalog(server)
  const boot = (
    node: string,
    bind: string,
    flags: readonly string[] = [],
    through: readonly string[] = [],
  ) => {
    const target = join(directory, 'nodes', node)
    mkdirSync(target, { recursive: true })
    const trust = join(server.dataDir, 'trust')
    return startAgent(t, { node, target, server: server.url, trust, bind, flags, through })
  }
  return { directory, site, server, boot }
}

/** Waits for the first published version. */
export function catalog(server: TestServer): Promise<number> {
  return until('a catalog', async () => {
    const { version } = await server.status()
    return typeof version === 'number' && version > 0 ? version : undefined
  })
}
