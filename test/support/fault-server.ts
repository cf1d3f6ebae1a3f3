/**
 * A server that misbehaves on purpose. It speaks real HTTPS with the test certificate and signs real
 * manifests with a key of its own; each test says what is wrong with its answers.
 */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import type { TestContext } from 'node:test'
import { encodeCanonicalJson } from '../../src/canonical-json.js'
import { type Manifest, type ManifestArtifact, signManifest } from '../../src/manifest.js'
import { isInline } from '../../src/manifest-limits.js'
import { encodeInfo, infohash } from '../../src/metainfo.js'
import { checkout } from './scratch.js'

const vectors = join(checkout, 'test', 'vectors', 'tls')

/** What goes wrong; everything that is left out works. */
export interface Faults {
  /** Changes the manifest before it is signed. */
  manifest?: (manifest: Manifest, attempt: number) => unknown
  /** Changes the signed body. */
  body?: (body: Uint8Array, attempt: number) => Uint8Array
  /** Answers a request for an artifact itself; return false to let it be served well. */
  artifact?: (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => boolean
  /** Answers a request for a metainfo file itself; return false to let it be served well. */
  torrent?: (response: ServerResponse, torrent: Buffer) => boolean
  /** Answers an announce. Without it the tracker knows nobody. */
  tracker?: (request: IncomingMessage, response: ServerResponse) => void
}

/** A running one. */
export interface FaultServer {
  readonly url: string
  readonly trustDir: string
  readonly httpPort: number
  /** Manifests that were asked for. */
  readonly manifests: () => number
  /** Payload bytes of artifacts that were sent. */
  readonly artifactBytes: () => number
  /** Events that were posted, in order. */
  readonly events: readonly { type: string; data: Record<string, unknown> }[]
  readonly artifacts: readonly ManifestArtifact[]
  /** Their metainfo files, by infohash. */
  readonly torrents: ReadonlyMap<string, Buffer>
  /** Stops listening and cuts every connection. */
  stop(): void
}

/** Serves these files: the first is the root file system, the rest are plugins. */
export async function startFaultServer(
  t: TestContext,
  directory: string,
  files: readonly string[],
  faults: Faults = {},
  extra: Partial<Manifest> = {},
): Promise<FaultServer> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const trustDir = join(directory, 'trust')
  writeTrust(trustDir, publicKey)
  const contents = new Map<string, Buffer>()
  const events: { type: string; data: Record<string, unknown> }[] = []
  const torrents = new Map<string, Buffer>()
  let manifests = 0
  let artifactBytes = 0
  let port = 0

  const artifacts = files.map((file, index) => {
    const bytes = readFileSync(file)
    const { artifact, torrent } = describe(file, bytes, index === 0 ? 'rootfs' : 'plugin')
    torrents.set(artifact.infohash, torrent)
    contents.set(artifact.sha256, bytes)
    return artifact
  })

  const tracker = createHttp((request, response) => {
    if (faults.tracker) faults.tracker(request, response)
    else response.end('d8:intervali1e5:peers0:e')
  })
  const server = createHttps(
    {
      cert: pem('CERTIFICATE', readFileSync(join(vectors, 'server.cert.der'))),
      key: createPrivateKey({
        key: readFileSync(join(vectors, 'server.key.der')),
        format: 'der',
        type: 'pkcs8',
      }).export({ format: 'pem', type: 'pkcs8' }),
    },
    (request, response) => {
      const url = new URL(request.url ?? '/', 'https://server')
      if (url.pathname === '/v1/manifest') {
        manifests += 1
        response.end(manifestBody(url, privateKey))
      } else if (url.pathname.startsWith('/v1/artifacts/')) {
        const bytes = contents.get(url.pathname.split('/')[3] ?? '')
        if (!bytes) response.writeHead(404).end()
        else if (!faults.artifact?.(request, response, bytes))
          artifactBytes += sendRange(request, response, bytes)
      } else if (url.pathname.startsWith('/v1/torrents/')) {
        const torrent = torrents.get(basename(url.pathname, '.torrent'))
        if (!torrent) response.writeHead(404).end()
        else if (!faults.torrent?.(response, torrent)) response.end(torrent)
      } else if (url.pathname.endsWith('/events')) {
        let body = ''
        request.on('data', (chunk: Buffer) => {
          body += chunk.toString()
        })
        request.on('end', () => {
          events.push(...(JSON.parse(body) as typeof events))
          response.writeHead(204).end()
        })
      } else response.writeHead(404).end()
    },
  )

  function manifestBody(url: URL, key: KeyObject): Uint8Array {
    const address = `127.0.0.1:${port}`
    const node = url.searchParams.get('node') ?? ''
    const manifest: Manifest = {
      artifacts: artifacts.map((artifact) => ({
        ...artifact,
        origins: [`https://${address}/v1/artifacts/${artifact.sha256}/${artifact.name}`],
      })),
      dht: [],
      events_url: `https://${address}/v1/nodes/${node}/events`,
      node: { hostname: node, id: node, rack: 'test', settings: { WALLET: 'secret of the test' } },
      nonce: url.searchParams.get('nonce') ?? '',
      seeders: [],
      site: 'faults',
      time_s: Math.floor(Date.now() / 1000),
      trackers: [`http://127.0.0.1:${(tracker.address() as AddressInfo).port}/announce`],
      version: 1,
      ...extra,
    }
    const changed = faults.manifest?.(manifest, manifests) ?? manifest
    const body = signManifest(encodeCanonicalJson(changed as Parameters<typeof encodeCanonicalJson>[0]), key)
    return faults.body?.(body, manifests) ?? body
  }

  server.listen(0, '127.0.0.1')
  tracker.listen(0, '127.0.0.1')
  await Promise.all([once(server, 'listening'), once(tracker, 'listening')])
  port = (server.address() as AddressInfo).port
  const stop = () => {
    for (const listener of [server, tracker]) {
      listener.close()
      listener.closeAllConnections()
    }
  }
  t.after(stop)
  return {
    url: `https://127.0.0.1:${port}`,
    trustDir,
    httpPort: (tracker.address() as AddressInfo).port,
    manifests: () => manifests,
    artifactBytes: () => artifactBytes,
    events,
    artifacts,
    torrents,
    stop,
  }
}

/** What docs/manifest.md wants to know of a file; pieces of 64 KiB. */
function describe(
  file: string,
  bytes: Buffer,
  kind: 'rootfs' | 'plugin',
): { artifact: ManifestArtifact; torrent: Buffer } {
  const pieceLengthBytes = 65_536
  const hashes: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceLengthBytes) {
    hashes.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + pieceLengthBytes))
        .digest(),
    )
  }
  const pieces = Buffer.concat(hashes)
  const name = basename(file)
  const info = { name, sizeBytes: bytes.length, pieceLengthBytes, pieces }
  const inline = isInline({ size_bytes: bytes.length, piece_length: pieceLengthBytes })
  const artifact: ManifestArtifact = {
    format: 'tar',
    infohash: infohash(info),
    kind,
    name,
    origins: [],
    piece_length: pieceLengthBytes,
    pieces: inline ? pieces.toString('base64') : '',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    size_bytes: bytes.length,
  }
  return { artifact, torrent: Buffer.concat([Buffer.from('d4:info'), encodeInfo(info), Buffer.from('e')]) }
}

/** A well-behaved 200 or 206; the number of payload bytes. */
function sendRange(request: IncomingMessage, response: ServerResponse, bytes: Buffer): number {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  if (first === undefined) {
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    return bytes.length
  }
  const part = bytes.subarray(Number(first), Number(last) + 1)
  response.writeHead(206, {
    'content-length': part.length,
    'content-range': `bytes ${first}-${Number(first) + part.length - 1}/${bytes.length}`,
  })
  response.end(part)
  return part.length
}

/** The trust folder of a node: docs/manifest.md's key and the CA. */
function writeTrust(directory: string, publicKey: KeyObject): void {
  mkdirSync(directory, { recursive: true })
  const raw = publicKey.export({ format: 'jwk' }).x ?? ''
  writeFileSync(join(directory, 'manifest.pub'), `${Buffer.from(raw, 'base64url').toString('base64')}\n`)
  copyFileSync(join(vectors, 'ca.pem'), join(directory, 'ca.pem'))
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
