import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { commands } from '../../cli/commands.js'
import { completionScript } from '../../cli/completion.js'
import { type Shell, shells } from '../../cli/completion-outline.js'
import type { Outline } from '../../cli/outline.js'
import { scratch } from '../support/scratch.js'

/** What a shell offers after these words; the last one has been begun. */
type Offer = (t: TestContext, ...words: string[]) => string[]

function scriptOf(t: TestContext, shell: Shell): string {
  const file = join(scratch(t), 'completion')
  writeFileSync(file, completionScript(shell, commands))
  return file
}

const lines = (text: string) => text.split('\n').filter(Boolean)

const inBash: Offer = (t, ...words) => {
  const run =
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash
    'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bootswarm; printf "%s\\n" "${COMPREPLY[@]}"'
  return lines(
    execFileSync('bash', ['-c', run, scriptOf(t, 'bash'), 'bootswarm', ...words], { encoding: 'utf8' }),
  )
}
const inFish: Offer = (t, ...words) => {
  const run = `source ${scriptOf(t, 'fish')}; complete -C ${JSON.stringify(['bootswarm', ...words].join(' '))}`
  return lines(execFileSync('fish', ['--no-config', '-c', run], { encoding: 'utf8' })).map(
    (line) => line.split('\t')[0] ?? '',
  )
}

const isThere = (shell: string) => spawnSync(shell, ['--version']).status === 0

for (const [shell, offer] of [
  ['bash', inBash],
  ['fish', inFish],
] as const) {
  // Bash is everywhere; of fish and zsh the text is tested, and what they make of it where they are.
  if (!isThere(shell)) continue
  test(`${shell} completes commands, their parts, flags and values`, (t) => {
    assert.deepEqual(
      offer(t, '')
        .filter((word) => !word.startsWith('-'))
        .sort(),
      commands.map(({ name }) => name).sort(),
    )
    assert.deepEqual(offer(t, 'st').sort(), ['start', 'status'])
    assert.deepEqual(offer(t, 'node', 'l').sort(), ['label', 'list'])
    assert.deepEqual(offer(t, 'node', 'list', '--wa'), ['--watch'])
    assert.deepEqual(offer(t, 'node', 'list', 'rig[1-3]', '--wh'), ['--where'])
    // The value of a flag is no word on the way.
    assert.deepEqual(offer(t, 'node', '--data-dir', 'x', 'la'), ['label'])
    assert.deepEqual(offer(t, 'token', 'new', '--role', 'o'), ['operate'])
    assert.deepEqual(offer(t, 'config', '').sort(), ['apply', 'check', 'diff', 'show'])
    assert.deepEqual(offer(t, 'config', 'show', 'rig001', '--ar'), ['--arch'])
    assert.deepEqual(offer(t, 'config', 'apply', '--dry'), ['--dry-run'])
    assert.deepEqual(offer(t, 'node', 'w').sort(), ['wake', 'why'])
    assert.deepEqual(offer(t, 'node', 'events', '--source', 't'), ['tftp'])
    assert.deepEqual(offer(t, 'completion', 'f'), ['fish'])
    assert.deepEqual(offer(t, 'node', 'forget', '--dry'), ['--dry-run'])
    assert.deepEqual(offer(t, 'node', 'list', '--dry'), [])
  })
}

test('every script names every command, part and flag, and the shell that is there can read it', (t) => {
  const all = (outline: Outline): string[] => [
    outline.name,
    ...outline.flags.map(({ name }) => name),
    ...(outline.parts ?? []).flatMap(all),
  ]
  const names = commands.flatMap(({ name, outline }) => (outline === undefined ? [name] : all(outline)))
  for (const shell of shells) {
    const script = completionScript(shell, commands)
    for (const name of names) assert.ok(script.includes(name), `${shell}: ${name}`)
    if (isThere(shell)) execFileSync(shell, ['-n', scriptOf(t, shell)])
  }
})
