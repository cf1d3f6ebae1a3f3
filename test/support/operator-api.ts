/** A client of the operators' API that holds every answer against the published document. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { withSocketPath } from '../../host/unix-socket.js'
import { OPENAPI_FILE } from '../../scripts/openapi-docs.js'

/** The parts of an OpenAPI document that are read here. */
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}
interface Operation {
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, unknown>> }>>
}

/** An answer that fits the document. */
export interface ApiAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  // biome-ignore lint/suspicious/noExplicitAny: what it is the document says, and tests look at all of it
  readonly body: any
}

const document = JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')) as Document
const ajv = new Ajv2020({ strict: false }).addSchema(document, 'api')

/** Whom a test asks as. */
export interface ApiClient {
  readonly dataDir: string
  /** Missing: over the Unix socket. */
  readonly port?: number
  readonly token?: string
  readonly localAddress?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Asks, and fails if the answer does not fit the document. */
export async function askApi(
  client: ApiClient,
  method: string,
  path: string,
  body?: unknown,
): Promise<ApiAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const response = await openApi(client, method, path, text)
  let whole = ''
  for await (const part of response) whole += part
  const { statusCode: status = 0, headers } = response
  const answer = { status, headers, body: JSON.parse(whole) as unknown }
  if (!path.startsWith('/api/v1/openapi.json')) assertFits(method, path, answer)
  return answer
}

/** Asks; the answer may go on. */
export function openApi(
  client: ApiClient,
  method: string,
  path: string,
  body?: string,
): Promise<IncomingMessage> {
  const { dataDir, port, token, localAddress } = client
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...client.headers,
  }
  const options: RequestOptions = { method, path, headers, agent: false }
  return new Promise((resolve, reject) => {
    const ask = (socketPath: string) => httpRequest({ ...options, socketPath })
    const request =
      port === undefined
        ? withSocketPath(join(dataDir, 'operators.sock'), ask)
        : httpsRequest({
            ...options,
            ...{ host: '127.0.0.1', port, ca: readFileSync(join(dataDir, 'trust', 'ca.pem')) },
            ...(localAddress === undefined ? {} : { localAddress }),
          })
    request.on('error', reject).on('response', resolve)
    request.end(body)
  })
}

function assertFits(method: string, path: string, { status, body }: Omit<ApiAnswer, 'headers'>): void {
  const plain = path.split('?')[0] ?? ''
  const template = Object.keys(document.paths).find((known) =>
    new RegExp(`^${known.replaceAll(/\{[^}]*\}/g, '[^/]+')}$`).test(plain),
  )
  const operation = template === undefined ? undefined : document.paths[template]?.[method.toLowerCase()]
  if (template === undefined || operation === undefined) {
    assert.equal(status, 404, `${method} ${path} is not in ${OPENAPI_FILE}`)
    return
  }
  const answer = Object.hasOwn(operation.responses, String(status)) ? String(status) : 'default'
  const steps = ['paths', template, method.toLowerCase(), 'responses', answer]
  const pointer = [...steps, 'content', 'application/json', 'schema']
    .map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1'))
    .join('/')
  const check = ajv.getSchema(`api#/${encodeURI(pointer)}`)
  assert.ok(check !== undefined, `${OPENAPI_FILE} has no ${pointer}`)
  assert.ok(check(body), `${method} ${path}: ${ajv.errorsText(check.errors)} in ${JSON.stringify(body)}`)
}
