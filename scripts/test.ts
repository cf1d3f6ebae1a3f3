/**
 * `npm test`: sets up what is missing and runs everything: format and lint, the agent's tests and the
 * simulator, the server's tests, then whole boots and interoperation with real clients.
 * `npm test -- NAME...` runs only the steps whose names contain one of the words.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../host/agent-binary.js'
import { ensureTools, pythonHas } from '../host/tools.js'
import { BootswarmError } from '../src/errors.js'
import { buildAgent } from './build-agent.js'
import { type Count, countCargo, countNode, runStep, type Step } from './test/steps.js'

const crate = join(root, 'initramfs-agent')
const bin = (name: string) => join(root, 'node_modules', '.bin', name)

function testFiles(folder: string): string[] {
  const base = join(root, 'dist', 'test', folder)
  if (!existsSync(base)) return []
  return readdirSync(base, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join(base, name))
    .sort()
}

function nodeTests(name: string, folders: readonly string[], concurrency: number, testMs = 240_000): Step {
  const files = folders.flatMap(testFiles)
  const flags = [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${testMs}`,
  ]
  return { name, command: [process.execPath, ...flags, ...files], count: countNode, cwd: root }
}

/** The suite of real machines ends itself after this (test/e2e/deadline.ts); what does not is ended a little later. */
const e2eMs = 360_000
const e2eGraceMs = 15_000

const steps: Step[] = [
  { name: 'format and lint', command: [bin('biome'), 'ci', '--error-on-warnings', '.'], cwd: root },
  nodeTests(
    'server: unit',
    ['src', 'host', 'archive', 'server', 'image', 'doctor', 'cli', 'scripts', 'docs'],
    2,
  ),
  { name: 'agent: format', command: ['cargo', 'fmt', '--check'], cwd: crate },
  {
    name: 'agent: lint',
    command: ['cargo', 'clippy', '--locked', '--quiet', '--all-targets', '--', '-D', 'warnings'],
    cwd: crate,
  },
  {
    name: 'agent: unit and simulator',
    command: ['cargo', 'test', '--locked', '--quiet'],
    cwd: crate,
    count: countCargo,
  },
  // These start real servers and agents and share two cores: one file at a time.
  nodeTests('boot, faults, interop, storm', ['agent', 'boot', 'interop', 'bench'], 1),
  { ...nodeTests('real machines (e2e)', ['e2e'], 1, e2eMs), limitMs: e2eMs + e2eGraceMs },
]

try {
  ensureTools([
    { name: 'cargo-fmt', debianPackage: ['rustfmt-web', 'rustfmt'] },
    { name: 'cargo-clippy', debianPackage: ['rust-web-clippy', 'rust-clippy'] },
    { name: 'aria2c', debianPackage: 'aria2' },
    { name: 'python3', debianPackage: 'python3' },
    {
      name: 'python3-libtorrent',
      debianPackage: 'python3-libtorrent',
      present: () => pythonHas('libtorrent'),
    },
    { name: 'curl', debianPackage: 'curl' },
    { name: 'wget', debianPackage: 'wget' },
    { name: 'openssl', debianPackage: 'openssl' },
    { name: 'ip', debianPackage: 'iproute2' },
    { name: 'tar', debianPackage: 'tar' },
    { name: 'xz', debianPackage: 'xz-utils' },
    { name: 'zstd', debianPackage: 'zstd' },
    { name: 'cpio', debianPackage: 'cpio' },
    { name: 'mksquashfs', debianPackage: 'squashfs-tools' },
    { name: 'bzip2', debianPackage: 'bzip2' },
    { name: 'mmdebstrap', debianPackage: 'mmdebstrap' },
    { name: 'newuidmap', debianPackage: 'uidmap' },
    { name: 'busybox', debianPackage: 'busybox-static' },
    { name: 'dnsmasq', debianPackage: 'dnsmasq-base' },
    { name: 'dhclient', debianPackage: 'isc-dhcp-client' },
    { name: 'tftp', debianPackage: 'tftp-hpa' },
    { name: 'dnsmasq', debianPackage: 'dnsmasq-base' },
    { name: 'nft', debianPackage: 'nftables' },
    { name: 'iptables', debianPackage: 'iptables' },
    { name: 'tcpdump', debianPackage: 'tcpdump' },
    { name: 'tc', debianPackage: 'iproute2' },
    { name: 'objcopy', debianPackage: 'binutils' },
    { name: 'make', debianPackage: 'make' },
    { name: 'dpkg-source', debianPackage: 'dpkg-dev' },
    { name: 'unshare', debianPackage: 'util-linux' },
    { name: 'qemu-system-x86_64', debianPackage: 'qemu-system-x86' },
    { name: 'ovmf', debianPackage: 'ovmf', present: () => existsSync('/usr/share/OVMF/OVMF_CODE_4M.fd') },
    {
      name: 'ipxe-qemu',
      debianPackage: 'ipxe-qemu',
      present: () => existsSync('/usr/lib/ipxe/qemu/efi-virtio.rom'),
    },
    { name: 'ipxe', debianPackage: 'ipxe', present: () => existsSync('/usr/lib/ipxe/ipxe.lkrn') },
  ])
  buildAgent()
  const words = process.argv.slice(2).filter((word) => !word.startsWith('-'))
  const chosen = steps.filter((step) => words.length === 0 || words.some((word) => step.name.includes(word)))
  const total: Count = { passed: 0, failed: 0, skipped: 0 }
  const broken: string[] = []
  for (const step of chosen) {
    const count = await runStep(step)
    total.passed += count.passed
    total.failed += count.failed + count.skipped
    if (count.failed + count.skipped > 0) broken.push(step.name)
    if (count.skipped > 0) process.stdout.write(`${count.skipped} skipped: counted as failed\n`)
  }
  if (broken.length > 0) process.stdout.write(`\nfailed: ${broken.join(', ')}\n`)
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`)
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
} catch (error) {
  if (!(error instanceof BootswarmError)) throw error
  process.stdout.write(`${error.code}: ${error.message}\n\n0 passed, 1 failed\n`)
  process.exitCode = 1
}
