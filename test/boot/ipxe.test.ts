/** A real iPXE in a virtual machine: script by TFTP, then by HTTP, then kernel and stage 1. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { autoexecScript } from '../../server/netboot/ipxe-script.js'
import { TftpServer } from '../../server/netboot/tftp.js'
import { type Machine, startMachine } from '../support/machine.js'
import { askApi } from '../support/operator-api.js'
import { end, startServer, type TestServer, until, untilEqual } from '../support/processes.js'
import { scratch } from '../support/scratch.js'

const ipxe = '/usr/lib/ipxe/ipxe.lkrn'
const mac = '52:54:00:12:34:56'
/** This machine, as a guest on QEMU's user network sees it. */
const host = '10.0.2.2'

/** A machine that runs iPXE with a script, on QEMU's user network. */
function startIpxe(t: TestContext, directory: string, script: string, more: readonly string[] = []): Machine {
  const file = join(directory, 'start.ipxe')
  writeFileSync(file, script)
  // No ROM: the machine runs what is given here and nothing else.
  const network = ['-netdev', 'user,id=n0', '-device', `virtio-net-pci,netdev=n0,mac=${mac},romfile=`]
  return startMachine(t, { args: [...network, '-kernel', ipxe, '-initrd', file, ...more] })
}

interface Bench {
  readonly directory: string
  readonly server: TestServer
  readonly tftp: TftpServer
  readonly script: string
  /** The same machine that waits for {@link serveScript} once it has its address. */
  readonly waitingScript: string
  serveScript(): void
  queue(): Promise<{ completed: number; expired: number; loading: string[] }>
  bootBytes(): Promise<number>
}

async function bench(t: TestContext, withKernel: boolean): Promise<Bench> {
  const directory = scratch(t)
  const boot = join(directory, 'artifacts', 'boot')
  mkdirSync(boot, { recursive: true })
  if (withKernel) {
    // iPXE is a Linux kernel to a boot loader: it starts at once, and takes its command line for a command.
    copyFileSync(ipxe, join(boot, 'vmlinuz'))
    writeFileSync(join(boot, 'stage1'), '#!ipxe\necho STAGE1-IS-HERE\n')
  }
  const server = await startServer(t, directory, ['--address', host])
  const status = async () => (await server.status()) as unknown as Status
  if (withKernel) await until('the catalog', async () => ((await status()).version > 0 ? true : undefined))
  const tftp = new TftpServer({
    host: '127.0.0.1',
    port: 0,
    nowMs: () => performance.now(),
    log: () => {},
    fact: () => {},
  })
  t.after(() => tftp.close())
  const port = await tftp.listen()
  const autoexec = Buffer.from(autoexecScript(`${host}:${server.ports.http}`))
  const serveAs = (name: string) => tftp.setFiles(new Map([[name, autoexec]]))
  serveAs('bios/autoexec.ipxe')
  const chain = `chain tftp://${host}:${port}`
  return {
    directory,
    server,
    tftp,
    script: `#!ipxe\ndhcp\n${chain}/bios/autoexec.ipxe\n`,
    waitingScript: `#!ipxe\ndhcp\necho MACHINE-IS-READY\n:again\n${chain}/now || goto again\n`,
    serveScript: () => serveAs('now'),
    queue: async () => (await status()).netboot.queue,
    bootBytes: async () => (await status()).origin.boot_bytes,
  }
}

interface Status {
  readonly version: number
  readonly origin: { readonly boot_bytes: number }
  readonly netboot: { readonly queue: { completed: number; expired: number; loading: string[] } }
}

test('iPXE gets its script by TFTP, its own one by HTTP, then kernel and stage 1, and starts them', async (t) => {
  const { directory, tftp, script, queue, bootBytes } = await bench(t, true)
  const machine = startIpxe(t, directory, script)
  // The kernel runs and has our command line.
  await machine.says(/bootswarm\.server=https:\/\/10\.0\.2\.2:[0-9]+: command not found/)
  assert.match(
    machine.console(),
    /node-525400123456 \(52:54:00:12:34:56\) loads version [0-9]+: vmlinuz, stage1/,
  )
  assert.equal(tftp.stats().completed, 1)
  const boot = join(directory, 'artifacts', 'boot')
  const bytes = ['vmlinuz', 'stage1'].reduce((sum, name) => sum + statSync(join(boot, name)).size, 0)
  await untilEqual(
    'the load to be counted',
    async () => {
      const { completed, loading } = await queue()
      return { completed, loading, bytes: await bootBytes() }
    },
    { completed: 1, loading: [], bytes },
  )
})

test('iPXE gets a turn from those that were given one and load nothing, without a time-out', async (t) => {
  const { directory, server, waitingScript, serveScript, queue } = await bench(t, true)
  // However long a machine takes to start here: it asks while the others have their turn.
  const machine = startIpxe(t, directory, waitingScript)
  await machine.says(/MACHINE-IS-READY/)
  // Eight others that were admitted and load nothing: they have all turns, and are forgotten after ten seconds.
  for (let other = 0; other < 8; other += 1) {
    const url = `http://127.0.0.1:${server.ports.http}/v1/ipxe/script/52-54-00-00-00-0${other}?arch=x86_64`
    assert.match(await (await fetch(url)).text(), /kernel --timeout/)
  }
  serveScript()
  await machine.says(/bootswarm\.server=https:\/\/10\.0\.2\.2:[0-9]+: command not found/)
  const counts = () => queue().then(({ completed, expired }) => ({ completed, expired }))
  assert.ok(!/Connection timed out|no answer from the server/.test(machine.console()), machine.console())
  await untilEqual('the queue', counts, { completed: 1, expired: 8 })
})

test('without a kernel it says why and asks again; with the server gone it waits longer and longer', async (t) => {
  const { directory, server, script } = await bench(t, false)
  const machine = startIpxe(t, directory, script)
  await machine.says(
    /artifacts\/boot on the server has no vmlinuz and stage1 for x86_64\. Try 2 of 64, the next in 2 s/,
  )
  await server.kill('SIGKILL')
  await machine.says(
    /no answer from the server, asking again in 1 s.*asking again in 2 s.*asking again in 4 s/,
  )
})

/** A disk whose first sector says where it is on the serial port, and stops. */
function ownDisk(directory: string): readonly string[] {
  const text = Buffer.from('THIS-IS-ITS-OWN-DISK\r\n\0')
  // cld; xor ax, ax; mov ds, ax; mov si, text; next: lodsb; or al, al; jz end; mov dx, 0x3f8; out dx, al; jmp next; end: hlt; jmp end
  const code = Buffer.from('fc31c08ed8be0000ac08c07406baf803eeebf5f4ebfd', 'hex')
  code.writeUInt16LE(0x7c00 + code.length, 6)
  const sectors = Buffer.alloc(1024 * 1024)
  Buffer.concat([code, text]).copy(sectors)
  sectors.writeUInt16LE(0xaa55, 510)
  const file = join(directory, 'disk')
  writeFileSync(file, sectors)
  return ['-drive', `file=${file},format=raw,if=virtio`]
}

test('a machine boots its own disk or opens the shell once, as an operator said, and then as always', async (t) => {
  const { directory, server, script } = await bench(t, true)
  const asked = `http://127.0.0.1:${server.ports.http}/v1/ipxe/script/${mac.replaceAll(':', '-')}`
  assert.match(await (await fetch(asked)).text(), /^#!ipxe/)
  const next = async (from: string) => {
    const path = `/api/v1/nodes/${mac}/next-boot`
    const { status, body } = await askApi({ dataDir: server.dataDir }, 'POST', path, { next_boot: { from } })
    assert.equal(status, 200, JSON.stringify(body))
  }
  const boots = /bootswarm\.server=https:\/\/10\.0\.2\.2:[0-9]+: command not found/
  const disk = ownDisk(directory)
  await next('disk')
  const first = startIpxe(t, directory, script, disk)
  await first.says(/boots from its own disk, this once.*THIS-IS-ITS-OWN-DISK/)
  await end(first.child, 'SIGKILL')
  const second = startIpxe(t, directory, script, disk)
  await second.says(boots)
  await end(second.child, 'SIGKILL')
  await next('shell')
  const third = startIpxe(t, directory, script)
  await third.says(/opens the shell of iPXE, this once.*iPXE>/)
  third.types('exit')
  await third.says(boots)
})
