// The first step of every npm script, before any dependency is there: installs the dependencies where they
// are missing or outdated, removes outputs whose source is gone, compiles the TypeScript and, for the commands that hand the agent on, the agent. Then
// it becomes dist/scripts/COMMAND.js, or the product's own command line (dist/cli/bootswarm.js), which compiles nothing.
// Plain JavaScript because nothing is compiled yet; nothing but that happens here.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { removeStaleOutputs, stampOfSources } from './outputs.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const [command = 'build'] = process.argv.slice(2)

if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(`Node.js 20 or newer is needed, this is ${process.version}`)
}

if (!dependenciesCurrent()) {
  say('installing dependencies, once: a minute, or several where better-sqlite3 has to be compiled ...')
  ensureCompiler()
  // Not `npm ci`: it refuses the lock where a registry lacks a package of some other platform.
  run('npm', ['install', '--no-save', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'])
}
compile()

const words = process.argv.slice(3)
const isProduct = command === 'start' || command === 'bootswarm'
const product = command === 'start' ? ['start', ...words] : words
if (isProduct && needsAgent(product)) {
  if (!existsSync(join(root, 'dist', 'agent'))) say('compiling the agent, once: a minute or two ...')
  run(process.execPath, [join(root, 'dist', 'scripts', 'build.js'), '--quiet'])
}
process.argv.splice(2, process.argv.length, ...(isProduct ? product : words))
const script = isProduct
  ? join(root, 'dist', 'cli', 'bootswarm.js')
  : join(root, 'dist', 'scripts', `${command}.js`)
if (!existsSync(script)) fail(`no script named ${command}`)
await import(pathToFileURL(script).href)

/** Only if there is something to compile: a command that asks a running server should not take longer for it. */
function compile() {
  const dist = join(root, 'dist')
  const stampFile = join(dist, '.compiled')
  const stamp = stampOfSources(root)
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  say('compiling the TypeScript: some seconds ...')
  removeStaleOutputs(root, dist)
  run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '--pretty', 'false'])
  writeFileSync(stampFile, stamp)
}

/** The server gives the agent to its demo nodes, `image stage1` packs it. */
function needsAgent(words) {
  if (words.some((word) => ['--help', '-h', '--version'].includes(word))) return false
  const [first = 'start', second] = words
  return first === 'start' || first.startsWith('-') || (first === 'image' && second === 'stage1')
}

/** npm writes node_modules/.package-lock.json last: newer than the lock means a finished install. */
function dependenciesCurrent() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  return (
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
  )
}

/** better-sqlite3 compiles itself where its prebuilt library cannot be downloaded. */
function ensureCompiler() {
  const missing = [
    ['g++', 'g++'],
    ['make', 'make'],
    ['python3', 'python3'],
  ].filter(([tool]) => !onPath(tool))
  if (missing.length === 0) return
  const packages = missing.map(([, name]) => name)
  if (process.getuid?.() === 0 && onPath('apt-get')) {
    run('apt-get', ['update', '-qq'])
    run('apt-get', ['install', '-y', '-qq', ...packages])
  } else {
    fail(`TOOL_MISSING: needed to install the dependencies: sudo apt-get install -y ${packages.join(' ')}`)
  }
}

function onPath(tool) {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function run(program, args) {
  // Child output goes to stderr: stdout belongs to the command (`npm start -- --demo 8 --json`).
  const { status, error, signal } = spawnSync(program, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (error) fail(`${program}: ${error.message}`)
  if (status !== 0) fail(`${program} ${args.join(' ')} failed (${signal ?? `exit code ${status}`})`)
}

function say(text) {
  process.stderr.write(`bootswarm: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}
