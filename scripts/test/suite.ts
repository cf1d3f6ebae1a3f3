/** What `npm test` consists of: its steps with their limits, tools and needs, and the sets that can be asked for. */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../../host/agent-binary.js'
import { pythonHas, type Tool } from '../../host/tools.js'
import { isQuick, needsRoot, testFiles, usesMachines } from './files.js'
import { countCargo, countNode, type Step } from './steps.js'

/** A step as a person chooses it. */
export interface SuiteStep extends Step {
  /** What it runs, in a line. */
  readonly about: string
  readonly tools: readonly Tool[]
  /** Needs the agent's executable. */
  readonly agent: boolean
  /** For the hands of a contributor: no root, no machines, no minutes. Undefined: not part of `quick`. */
  readonly quick?: Quick
}

/** What `quick` runs of a step. */
interface Quick {
  readonly command: SuiteStep['command']
  /** What of the step it does not run. */
  readonly leavesOut: readonly string[]
}

/**
 * Limits end what hangs and judge nothing: ten times what a step takes on a quiet machine with two cores, and more. They
 * are not what ends a test that waits in vain: that is `hangMs` (test/support/limits.ts), which says for what.
 */
const minutes = 60_000
const unitLimitMs = 40 * minutes
const processesLimitMs = 60 * minutes
/** The suite of real machines ends itself before (test/e2e/deadline.ts). */
const e2eLimitMs = 41 * minutes

const crate = join(root, 'initramfs-agent')
const bin = (name: string) => join(root, 'node_modules', '.bin', name)
const reporter = fileURLToPath(new URL('./file-times.js', import.meta.url))

/** A step may run while another suite does: each its own file. */
const timesFile = join(tmpdir(), `bootswarm-test-times-${process.pid}`)

function nodeCommand(files: readonly string[], concurrency: number, limitMs: number): SuiteStep['command'] {
  const flags = [
    '--test',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${timesFile}`,
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${limitMs}`,
  ]
  return [process.execPath, ...flags, ...files]
}

const archivers: readonly Tool[] = [
  { name: 'tar', debianPackage: 'tar' },
  { name: 'xz', debianPackage: 'xz-utils' },
  { name: 'zstd', debianPackage: 'zstd' },
  { name: 'cpio', debianPackage: 'cpio' },
  { name: 'bzip2', debianPackage: 'bzip2' },
  { name: 'mksquashfs', debianPackage: 'squashfs-tools' },
]
const curl: Tool = { name: 'curl', debianPackage: 'curl' }
const network: readonly Tool[] = [
  { name: 'ip', debianPackage: 'iproute2' },
  { name: 'unshare', debianPackage: 'util-linux' },
  curl,
]
const busybox: Tool = { name: 'busybox', debianPackage: 'busybox-static' }
const dnsmasq: Tool = { name: 'dnsmasq', debianPackage: 'dnsmasq-base' }
const openssl: Tool = { name: 'openssl', debianPackage: 'openssl' }
const python: Tool = { name: 'python3', debianPackage: 'python3' }
/** A controller (BMC) and what asks it. */
const ipmi: readonly Tool[] = [
  { name: 'ipmitool', debianPackage: 'ipmitool' },
  { name: 'ipmi_sim', debianPackage: 'openipmi' },
]
/** `image rootfs` and `image stage1`. */
const builders: readonly Tool[] = [
  { name: 'mmdebstrap', debianPackage: 'mmdebstrap' },
  { name: 'newuidmap', debianPackage: 'uidmap' },
  { name: 'objcopy', debianPackage: 'binutils' },
  { name: 'make', debianPackage: 'make' },
  { name: 'dpkg-source', debianPackage: 'dpkg-dev' },
]
const machines: readonly Tool[] = [
  { name: 'qemu-system-x86_64', debianPackage: 'qemu-system-x86' },
  { name: 'ovmf', debianPackage: 'ovmf', present: () => existsSync('/usr/share/OVMF/OVMF_CODE_4M.fd') },
  {
    name: 'ipxe-qemu',
    debianPackage: 'ipxe-qemu',
    present: () => existsSync('/usr/lib/ipxe/qemu/efi-virtio.rom'),
  },
]
const ipxe: Tool = {
  name: 'ipxe',
  debianPackage: 'ipxe',
  present: () => existsSync('/usr/lib/ipxe/ipxe.lkrn'),
}

/** The folders of test/ that have a step of their own; the others are told apart by what they need. */
const ofProcesses = ['agent', 'boot', 'interop', 'bench']
const ofMachines = ['e2e']

/** Puts the suite together from the test files that are compiled. */
export function suite(): SuiteStep[] {
  const own = testFiles(['.']).filter((file) => ![...ofProcesses, ...ofMachines].includes(folderOf(file)))
  const booting = testFiles(ofProcesses)
  return [
    lint,
    unitStep(own.filter((file) => !needsRoot(file))),
    ...agentSteps,
    networkStep(own.filter(needsRoot)),
    bootStep(booting.filter((file) => !usesMachines(file))),
    machinesStep(booting.filter(usesMachines)),
    e2eStep(testFiles(ofMachines)),
  ]
}

const lint: SuiteStep = {
  name: 'lint',
  about: 'format and lint of the TypeScript (its types are checked before anything runs)',
  command: [bin('biome'), 'ci', '--error-on-warnings', '.'],
  cwd: root,
  tools: [],
  agent: false,
  quick: { command: [bin('biome'), 'ci', '--error-on-warnings', '.'], leavesOut: [] },
}

function unitStep(files: readonly string[]): SuiteStep {
  return {
    name: 'unit',
    about: 'server, image, doctor and command line as far as they need no root',
    command: nodeCommand(files, 3, unitLimitMs),
    count: countNode,
    timesFile,
    cwd: root,
    tools: [
      ...archivers,
      ...builders,
      busybox,
      curl,
      openssl,
      python,
      { name: 'tftp', debianPackage: 'tftp-hpa' },
      ...ipmi,
    ],
    agent: true,
    quick: {
      command: nodeCommand(files.filter(isQuick), 2, unitLimitMs),
      leavesOut: files.filter((file) => !isQuick(file)).map(shown),
    },
  }
}

const cargo = (...args: string[]): SuiteStep['command'] => ['cargo', ...args]
const agentTests = ['test', '--locked', '--quiet', '--workspace']

const agentSteps: readonly SuiteStep[] = [
  {
    name: 'agent-format',
    about: 'format of the Rust',
    command: cargo('fmt', '--all', '--check'),
    cwd: crate,
    tools: [{ name: 'cargo-fmt', debianPackage: ['rustfmt-web', 'rustfmt'] }],
    agent: false,
    quick: { command: cargo('fmt', '--all', '--check'), leavesOut: [] },
  },
  {
    name: 'agent-lint',
    about: 'clippy',
    command: cargo(
      ...['clippy', '--locked', '--quiet', '--workspace', '--all-targets', '--', '-D', 'warnings'],
    ),
    cwd: crate,
    tools: [{ name: 'cargo-clippy', debianPackage: ['rust-web-clippy', 'rust-clippy'] }],
    agent: false,
  },
  {
    name: 'agent',
    about: 'the agent: unit tests, its input and output on the loopback, the simulator',
    command: cargo(...agentTests),
    count: countCargo,
    limitMs: unitLimitMs,
    cwd: crate,
    tools: [],
    agent: false,
    quick: {
      command: cargo(...agentTests, '--lib', 'core::'),
      leavesOut: ['input and output (io::), the command line, the simulator'],
    },
  },
]

function networkStep(files: readonly string[]): SuiteStep {
  return {
    name: 'network',
    about: 'real DHCP, TFTP, HTTP and doctor in network namespaces, privileges',
    // Half of it is waiting, for what DHCP and TFTP clients wait for.
    command: nodeCommand(files, 4, processesLimitMs),
    count: countNode,
    timesFile,
    cwd: root,
    tools: [
      ...archivers,
      ...network,
      ...builders,
      busybox,
      dnsmasq,
      ipxe,
      { name: 'dhclient', debianPackage: 'isc-dhcp-client' },
      { name: 'tcpdump', debianPackage: 'tcpdump' },
      { name: 'nft', debianPackage: 'nftables' },
      { name: 'iptables', debianPackage: 'iptables' },
      { name: 'tc', debianPackage: 'iproute2' },
    ],
    agent: true,
  }
}

function bootStep(files: readonly string[]): SuiteStep {
  return {
    name: 'boot',
    about: 'real servers and agents: whole boots, faults, stock clients, a small storm',
    // Three quarters of it are waiting, for time-outs that are what is tested.
    command: nodeCommand(files, 6, processesLimitMs),
    count: countNode,
    timesFile,
    cwd: root,
    tools: [
      ...archivers,
      ...network,
      ...builders,
      busybox,
      dnsmasq,
      { name: 'wget', debianPackage: 'wget' },
      { name: 'perfdhcp', debianPackage: 'kea-admin' },
      { name: 'aria2c', debianPackage: 'aria2' },
      {
        name: 'python3-libtorrent',
        debianPackage: 'python3-libtorrent',
        present: () => pythonHas('libtorrent'),
      },
    ],
    agent: true,
  }
}

function machinesStep(files: readonly string[]): SuiteStep {
  return {
    name: 'machines',
    about: 'stage 1 and iPXE in virtual machines',
    // A machine keeps one core busy.
    command: nodeCommand(files, 2, processesLimitMs),
    count: countNode,
    timesFile,
    cwd: root,
    tools: [...archivers, ...network, ...builders, ...machines, busybox, dnsmasq, ipxe],
    agent: true,
  }
}

function e2eStep(files: readonly string[]): SuiteStep {
  return {
    name: 'e2e',
    about: 'real machines from power on to a login: BIOS, UEFI, beside dnsmasq and alone',
    command: nodeCommand(files, 1, e2eLimitMs),
    count: countNode,
    timesFile,
    cwd: root,
    limitMs: e2eLimitMs,
    tools: [...archivers, ...network, ...builders, ...machines, busybox, dnsmasq, ipxe],
    agent: true,
  }
}

function folderOf(file: string): string {
  return relative(join(root, 'dist', 'test'), file).split(sep)[0] ?? ''
}

function shown(file: string): string {
  return file.slice(join(root, 'dist', '/').length).replace(/\.js$/, '.ts')
}
