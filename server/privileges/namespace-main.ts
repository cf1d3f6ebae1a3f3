/**
 * The server's first file in a mount namespace: its first arguments are the covered directories and the file to go on
 * with, the rest is for that. Descriptor 3 is a pipe from
 * the process outside: it hands in the signals that it gets, one name in a line, and when it closes that process is
 * gone, and so is this.
 */
import { Socket } from 'node:net'
import { moveIn } from './in-namespace.js'
import { handedSignals } from './namespace-process.js'

const [covered = '[]', program = ''] = process.argv.splice(2, 2)
moveIn(JSON.parse(covered) as string[])

let rest = ''
new Socket({ fd: 3, readable: true, writable: false })
  .setEncoding('utf8')
  .on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const signal = handedSignals.find((name) => name === line)
      if (signal !== undefined) process.kill(process.pid, signal)
    }
  })
  .on('error', () => process.exit(1))
  .on('close', () => process.exit(1))
  .unref()

await import(program)
