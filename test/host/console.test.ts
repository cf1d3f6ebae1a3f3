import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

const module = JSON.stringify(new URL('../../host/console.js', import.meta.url).href)

function run(code: string): { stdout: string; stderr: string } {
  const program = `import { complain, printJson, printLines } from ${module}\n${code}`
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  return { stdout, stderr }
}

test('a line that is printed is one line, whatever it quotes', () => {
  const { stdout } = run(`printLines(['a\\nbootswarm: forged', 'b\\u001b]0;owned\\u0007'])
    printJson({ name: 'c\\u009b2J\\u202e' })`)
  assert.equal(stdout, 'a\\nbootswarm: forged\nb\\u001b]0;owned\\u0007\n{"name":"c\\u009b2J\\u202e"}\n')
})

test('an error of several lines cannot pass for several errors', () => {
  const { stdout, stderr } = run(`complain('apt failed: E: first\\n  E: second\\u001b[2J\\nbootswarm: forged')
    complain(Array(1000).fill('x').join('\\n'))`)
  assert.equal(stdout, '')
  const lines = stderr.split('\n')
  assert.deepEqual(lines.slice(0, 4), [
    'bootswarm: apt failed: E: first',
    '  E: second\\u001b[2J',
    '  bootswarm: forged',
    'bootswarm: x',
  ])
  assert.ok(lines.length < 200)
})
