/** Which server a command asks, and how: the Unix socket on this machine, or HTTPS on another. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BootswarmError } from '../../src/errors.js'

/** A server to ask. */
export type Target =
  | {
      readonly kind: 'local'
      /** Where its socket may be; the first that is there. */
      readonly dataDirs: readonly string[]
    }
  | {
      readonly kind: 'remote'
      readonly host: string
      readonly port: number
      readonly token: string
      /** PEM. */
      readonly ca?: string
      /** SHA-256 of its public key, lower-case hex. */
      readonly keySha256?: string
    }

/** What the choice is made from. */
export interface TargetOptions {
  readonly flags: ReadonlyMap<string, string>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

const portDefault = 8444
const configFile = 'bootswarm.yaml'
const dataDirDefault = 'data'
/** Files that hold a token or a CA are small, bytes. */
const smallBytesMax = 64 * 1024

/** The checkout (this file runs as dist/cli/operators/target.js). */
const program = fileURLToPath(new URL('../../..', import.meta.url))

/** @throws {BootswarmError} USAGE_INVALID, TOKEN_MISSING, CONFIG_INVALID, CONFIG_UNREADABLE */
export async function chooseTarget(options: TargetOptions): Promise<Target> {
  const { flags, env } = options
  // A flag of this machine's server wins over a variable of another one.
  const isLocal = flags.has('data-dir') || flags.has('config')
  const server = flags.get('server') ?? (isLocal ? undefined : env.BOOTSWARM_SERVER)
  if (server !== undefined && server !== '') return remoteTarget(server, options)
  const remote = ['token-file', 'ca', 'fingerprint'].find((name) => flags.has(name))
  if (remote !== undefined) throw usage(`--${remote} goes with --server`)
  return { kind: 'local', dataDirs: await dataDirsOf(options) }
}

function remoteTarget(server: string, { flags, env, cwd }: TargetOptions): Target {
  const { host, port } = parseServer(server)
  const read = (flag: string) => {
    const name = flags.get(flag)
    return name === undefined ? undefined : readSmall(resolve(cwd, name), flag)
  }
  const token = read('token-file')?.trim() ?? env.BOOTSWARM_TOKEN ?? ''
  if (token === '') {
    throw new BootswarmError(
      'TOKEN_MISSING',
      'give --token-file FILE or BOOTSWARM_TOKEN; on the server `sudo ./bootswarm token new --role view` makes a token',
    )
  }
  const ca = read('ca')
  const keySha256 = flags
    .get('fingerprint')
    ?.toLowerCase()
    .replace(/^sha256:/, '')
    .replaceAll(':', '')
  if (keySha256 !== undefined && !/^[0-9a-f]{64}$/.test(keySha256))
    throw usage('--fingerprint: expected 64 hex digits, as `bootswarm status` on the server shows them')
  return {
    ...{ kind: 'remote', host, port, token },
    ...(ca === undefined ? {} : { ca }),
    ...(keySha256 === undefined ? {} : { keySha256 }),
  }
}

/** `https://HOST:PORT`, `HOST:PORT` or `HOST`. */
function parseServer(text: string): { readonly host: string; readonly port: number } {
  const url = parseUrl(text.includes('://') ? text : `https://${text}`)
  const isPlain = url !== undefined && url.pathname === '/' && url.search + url.hash + url.username === ''
  if (!isPlain || url.protocol !== 'https:')
    throw usage(`the server ${JSON.stringify(text.slice(0, 80))}: expected https://HOST:${portDefault}`)
  // WHATWG URLs leave out the port of the scheme.
  const isDefault = url.port === '' && !/:443\/?$/.test(text)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: isDefault ? portDefault : Number(url.port || 443),
  }
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

async function dataDirsOf({ flags, env, cwd }: TargetOptions): Promise<string[]> {
  const named = flags.get('data-dir') ?? env.BOOTSWARM_DATA_DIR
  if (named !== undefined) return [resolve(cwd, named)]
  const config = flags.get('config') ?? env.BOOTSWARM_CONFIG
  if (config !== undefined) {
    const path = resolve(cwd, config)
    // A server's relative paths start at its working directory, which nobody knows here: mostly one of these.
    return distinct([cwd, dirname(path)], await dataDirIn(path))
  }
  const places = [...new Set([cwd, resolve(program)])]
  const found = places.map((place) => join(place, configFile)).find((path) => existsSync(path))
  return distinct(places, found === undefined ? dataDirDefault : await dataDirIn(found))
}

function distinct(places: readonly string[], dataDir: string): string[] {
  return [...new Set(places.map((place) => resolve(place, dataDir)))]
}

/** The rest of the configuration is the server's to check. */
async function dataDirIn(path: string): Promise<string> {
  const { parseYaml } = await import('../../src/config-yaml.js')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new BootswarmError('CONFIG_UNREADABLE', `${path}: ${(cause as Error).message}`, { cause })
  }
  const { value } = parseYaml(text, path)
  const dataDir =
    typeof value === 'object' && value !== null && 'data_dir' in value ? value.data_dir : undefined
  return typeof dataDir === 'string' && dataDir !== '' ? dataDir : dataDirDefault
}

function readSmall(path: string, flag: string): string {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.length > smallBytesMax) throw new Error('it is too large')
    return text
  } catch (cause) {
    throw usage(`--${flag}: ${path}: ${(cause as Error).message}`)
  }
}

function usage(message: string): BootswarmError {
  return new BootswarmError('USAGE_INVALID', message)
}
