/**
 * Makes docs/openapi.json from the schemas of the operators' API. `node dist/scripts/openapi-docs.js` writes it; a test holds
 * the file against this program.
 */
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { fastify } from 'fastify'
import { localCaller } from '../server/api/operators/admission.js'
import { openApiText } from '../server/api/operators/openapi.js'
import { registerOperatorRoutes } from '../server/api/operators/routes.js'
import type { OperatorRoutes } from '../server/api/operators/routing.js'

/** The published document. */
export const OPENAPI_FILE = 'docs/openapi.json'

/** Its text. */
export async function openApiDocument(): Promise<string> {
  const app = fastify()
  // Nobody asks: the routes are described only.
  const nothing = { services: {}, tokens: {}, streams: {} } as unknown as OperatorRoutes
  await registerOperatorRoutes(app, { ...nothing, callerOf: localCaller })
  await app.ready()
  return openApiText(app)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(OPENAPI_FILE, await openApiDocument())
