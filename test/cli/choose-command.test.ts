import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseCommand } from '../../cli/choose-command.js'
import { type Command, commands } from '../../cli/commands.js'
import { BootswarmError } from '../../src/errors.js'

const chosen = (...words: string[]) => {
  const choice = chooseCommand(words, commands)
  return choice.kind === 'command' ? [choice.command.name, ...choice.args] : choice.kind
}

test('the first word is the command; flags alone are the server’s', () => {
  assert.deepEqual(chosen(), ['start'])
  assert.deepEqual(chosen('--demo', '8'), ['start', '--demo', '8'])
  assert.deepEqual(chosen('start', '--config', 'x'), ['start', '--config', 'x'])
  assert.deepEqual(chosen('image', 'stage1', '--json'), ['image', 'stage1', '--json'])
  assert.deepEqual(chosen('help', 'image'), ['image', '--help'])
  assert.equal(chosen('--version'), 'version')
})

test('the help names every command', () => {
  for (const word of ['help', '--help', '-h']) {
    const choice = chooseCommand([word], commands)
    assert.equal(choice.kind, 'text')
    for (const { name, summary } of commands) {
      assert.match(
        (choice as { text: string }).text,
        new RegExp(`^ {2}${name} +${summary.slice(0, 10)}`, 'm'),
      )
    }
  }
})

test('a word that is no command is refused, with the nearest', () => {
  const mistake = (word: string) => {
    assert.throws(
      () => chooseCommand([word], commands),
      (error) => {
        assert.ok(error instanceof BootswarmError && error.code === 'USAGE_INVALID')
        return true
      },
    )
  }
  mistake('imagine')
  mistake('')
  assert.throws(() => chooseCommand(['imaeg'], commands), /did you mean image\?/)
})

test('every command has a main', async () => {
  for (const { load } of commands as readonly Command[]) assert.equal(typeof (await load()).main, 'function')
})
