/** Holds the layers of docs/architecture.md: who may import whom, and what lies in one place only. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bulkPackages } from '../server/demo/artifacts.js'
import { checkout } from './support/scratch.js'
import { codeOf, importCircles, readSources, type SourceFile, unusedExports } from './support/source-tree.js'

/**
 * From the bottom up. A file imports from its own folder and from the layers below; folders of one layer do not know
 * each other. The longest path counts: `server/store` before `server`.
 */
const layers: readonly (readonly string[])[] = [
  ['src'],
  ['archive', 'host'],
  // What the process itself needs.
  ['server/process'],
  ['server/config', 'server/identity', 'server/store'],
  // What all services tell.
  ['server/timeline'],
  // The services, each of which knows its own job and no other, and what makes the process somebody else.
  [
    'server/catalog',
    'server/http',
    'server/netboot',
    'server/nodes',
    'server/power',
    'server/privileges',
    'server/swarm',
  ],
  // Answers from several services; what is built and checked with them.
  ['server/api', 'image', 'doctor'],
  ['server/wiring'],
  ['server/server.ts'],
  ['server/demo'],
  ['server/main.ts'],
  ['cli'],
  // Developers only.
  ['bench'],
  ['scripts'],
  ['test'],
]

const product = ['src', 'archive', 'host', 'server', 'image', 'doctor', 'cli']
const files = readSources([...product, 'bench', 'scripts', 'test'])
const productFiles = files.filter(({ path }) => product.includes(path.split('/')[0] ?? ''))

const folders = layers.flatMap((layer, height) => layer.map((folder) => ({ folder, height })))
const placeOf = (path: string) =>
  folders
    .filter(({ folder }) => path === folder || path.startsWith(`${folder}/`))
    .sort((a, b) => b.folder.length - a.folder.length)[0]

/** Why a file may not import another; undefined: it may. */
function objection(from: string, to: string): string | undefined {
  const [own, other] = [placeOf(from), placeOf(to)]
  if (own === undefined) return 'its folder has no layer in test/layers.test.ts'
  if (other === undefined) return `${to} has no layer in test/layers.test.ts`
  if (own.folder === other.folder || other.height < own.height) return undefined
  return other.height === own.height
    ? `${own.folder} and ${other.folder} are of one layer and do not know each other`
    : `${other.folder} lies above ${own.folder}`
}

function none(found: readonly string[]): void {
  assert.deepEqual(found, [], found.join('\n'))
}

test('every file imports from its own folder and from the layers below it only', () => {
  none(
    files.flatMap(({ path, imports, starts }) =>
      [...imports, ...starts].flatMap((to) => {
        const reason = objection(path, to)
        return reason === undefined ? [] : [`${path} imports ${to}: ${reason}`]
      }),
    ),
  )
})

test('no files import each other in a circle', () => {
  none(importCircles(files).map((circle) => `in a circle: ${circle.join(', ')}`))
})

test('the root of server/ has nothing but main.ts and server.ts', () => {
  const atRoot = readdirSync(join(checkout, 'server'), { withFileTypes: true })
  assert.deepEqual(
    atRoot.filter((entry) => !entry.isDirectory()).map(({ name }) => name),
    ['main.ts', 'server.ts'],
  )
})

test('src/ and archive/ do no input or output, and in server/ main.ts alone reads arguments and environment', () => {
  // Without sockets, files and processes of their own: `isIP`, codings, digests, flags.
  const pure = ['node:crypto', 'node:net', 'node:util', 'node:zlib']
  const shared = productFiles.filter(({ path }) => /^(?:src|archive)\//.test(path))
  none(
    shared.flatMap(({ path, packages }) =>
      packages
        .filter((name) => name.startsWith('node:') && !pure.includes(name))
        .map((name) => `${path} imports ${name}`),
    ),
  )
  none(linesWith(shared, /\b(?:Date\.now|performance\.now|Math\.random|setTimeout|setInterval|process\.)/))
  // The second is the first file of a process; what it was started with goes on to main.ts.
  const readers = ['server/main.ts', 'server/privileges/namespace-main.ts']
  const server = productFiles.filter(({ path }) => path.startsWith('server/') && !readers.includes(path))
  none(linesWith(server, /\bprocess\.(?:argv|env)\b/))
})

test('what is printed goes through host/console.ts, which makes it printable', () => {
  const others = productFiles.filter(({ path }) => path !== 'host/console.ts')
  none(linesWith(others, /\bprocess\.std(?:out|err)\.write\b|\bconsole\.(?!warn = |js')/))
})

test('the product names no compiler: what it needs is built before', () => {
  none(linesWith(productFiles, /\b(?:tsc|cargo|rustc)\b/))
})

test('the product uses no package that only developers install', () => {
  const manifestOf = (folder: string) =>
    JSON.parse(readFileSync(join(checkout, folder, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
  const { dependencies } = manifestOf('.')
  // The seeder takes over the wires that webtorrent makes: they are of its copy of bittorrent-protocol.
  const webtorrent = manifestOf('node_modules/webtorrent')
  // `@scope/name/file.js` is of `@scope/name`.
  const packageOf = (name: string) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name
  const isInstalled = (name: string) =>
    Object.hasOwn(dependencies, packageOf(name)) ||
    (name === 'bittorrent-protocol' && Object.hasOwn(webtorrent.dependencies, name))
  none(
    productFiles.flatMap(({ path, packages }) =>
      packages
        .filter((name) => !name.startsWith('node:') && !isInstalled(name))
        .map((name) => `${path} imports ${name}: not of the dependencies in package.json`),
    ),
  )
  none(bulkPackages.filter((name) => !isInstalled(name)))
})

test('SQL and SQLite are in server/store/ only', () => {
  const elsewhere = productFiles.filter(({ path }) => !path.startsWith('server/store/'))
  none(elsewhere.filter(({ packages }) => packages.includes('better-sqlite3')).map(({ path }) => path))
  none(
    linesWith(
      elsewhere,
      /\b(?:SELECT\s.*\sFROM|INSERT\s.*INTO|DELETE\s+FROM|UPDATE\s.*\sSET|CREATE\s+TABLE|PRAGMA)\s/,
    ),
  )
})

/** Exports that only tests use, and why they stay. */
const forTests = [
  // Reads the vectors that the agent reads too: what the server signs is held against the specification.
  'src/manifest.ts exports openManifest, which tests alone use',
]

test('what is exported is used by another file', () => {
  const found = unusedExports(files, (path) => path.startsWith('test/'))
  none(found.filter((line) => !forTests.includes(line)))
  none(forTests.filter((line) => !found.includes(line)).map((line) => `no more an exception: ${line}`))
})

test('the circles, comments and unused exports of a made-up tree are seen', () => {
  const file = (path: string, ...imports: string[]): SourceFile => ({
    ...{ path, imports, text: '', starts: [], packages: [] },
  })
  const texts: readonly (readonly [string, string])[] = [
    ['a', 'export function used() {}\nexport const alone = 1 // used'],
    ['b', 'used()\nexport interface Shape {}\nexport function shape(): Shape {}'],
    ['test/c', '/* alone */ shape()\nexport type Dead = 1'],
  ]
  assert.deepEqual(
    unusedExports(
      texts.map(([path, text]) => ({ ...file(path), text })),
      (path) => path.startsWith('test/'),
    ),
    [
      'a exports alone, which no other file imports',
      'b exports shape, which tests alone use',
      'test/c exports Dead, which is used nowhere',
    ],
  )
  const tree = [
    file('a', 'b'),
    file('b', 'c', 'd'),
    file('c', 'a'),
    file('d'),
    file('e', 'e'),
    file('f', 'd'),
  ]
  assert.deepEqual(importCircles(tree), [['a', 'b', 'c'], ['e']])
  assert.equal(codeOf("a /* b\nc */ d // e\n'http://f'"), "a \n d \n'http://f'")
  assert.match(objection('src/a.ts', 'server/main.ts') ?? '', /lies above src/)
  assert.match(objection('server/swarm/a.ts', 'server/catalog/b.ts') ?? '', /of one layer/)
  assert.equal(objection('server/wiring/a.ts', 'server/catalog/b.ts'), undefined)
  assert.match(objection('server/new/a.ts', 'src/b.ts') ?? '', /no layer/)
})

function linesWith(from: readonly SourceFile[], pattern: RegExp): string[] {
  return from.flatMap(({ path, text }) =>
    codeOf(text)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  )
}
