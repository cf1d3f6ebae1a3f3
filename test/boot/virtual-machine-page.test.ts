/** docs/virtual-machine.md as a person does it: its own commands and configuration, up to the start of a kernel. */
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startMachine } from '../support/machine.js'
import { end, until } from '../support/processes.js'
import { checkout, scratch } from '../support/scratch.js'
import { Wire } from '../support/wire.js'

/** The blocks of code of the page, by language. */
function blocks(page: string, language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, text = '']) => text,
  )
}

test('a virtual machine boots by the commands of its page', async (t) => {
  const wire = Wire.make(t, '192.0.2.1/24')
  if (wire === undefined) return t.skip('needs root')
  const computer = (...words: string[]) => wire.command('computer', ...words)
  wire.bare('computer')
  const page = readFileSync(join(checkout, 'docs', 'virtual-machine.md'), 'utf8')
  const [bridge = '', , , machine = ''] = blocks(page, 'sh')
  const [yaml = ''] = blocks(page, 'yaml')
  const directory = scratch(t)
  const boot = join(directory, 'artifacts', 'boot')
  mkdirSync(boot, { recursive: true })
  // iPXE is a Linux kernel to a boot loader: it starts at once, and takes its command line for a command.
  copyFileSync('/usr/lib/ipxe/ipxe.lkrn', join(boot, 'vmlinuz'))
  writeFileSync(join(boot, 'stage1'), '#!ipxe\necho STAGE1-IS-HERE\n')
  writeFileSync(join(directory, 'bootswarm.yaml'), yaml)

  wire.run('computer', 'sh', '-ec', bridge)
  const [program = '', ...args] = computer(process.execPath, join(checkout, 'dist/server/main.js'))
  const server = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => end(server, 'SIGKILL'))
  let log = ''
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (part: Buffer) => {
      log += part.toString()
    })
  await until('the server', async () => {
    if (server.exitCode !== null) throw new Error(`the server ended:\n${log}`)
    return /READY/.test(log) && /Published version/.test(log) ? true : undefined
  })
  const console = startMachine(t, { args: machine, command: computer })
  await console.says(/bootswarm\.server=https:\/\/10\.77\.0\.1:8443: command not found/)
})
