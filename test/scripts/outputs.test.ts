/** After an update of a checkout, what was compiled from files that are gone is gone too. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkout, scratch } from '../support/scratch.js'

test('bootstrap removes the outputs of a moved and of a deleted source, and nothing else', (t) => {
  const root = scratch(t)
  const write = (name: string, text: string) => {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  for (const name of ['bootstrap.mjs', 'outputs.mjs'])
    cpSync(join(checkout, 'scripts', name), join(root, 'scripts', name))
  write('package.json', '{"type": "module"}')
  write('package-lock.json', '{}')
  mkdirSync(join(root, 'node_modules'))
  symlinkSync(join(checkout, 'node_modules', 'typescript'), join(root, 'node_modules', 'typescript'))
  // What says that the dependencies are installed: newer than the lock.
  write('node_modules/.package-lock.json', '{}')
  const options = { module: 'NodeNext', types: [], rootDir: '.', outDir: 'dist', sourceMap: true }
  const compiler = { ...options, incremental: true, tsBuildInfoFile: 'dist/.tsbuildinfo' }
  write(
    'tsconfig.json',
    JSON.stringify({ compilerOptions: compiler, include: ['scripts', 'test', 'old', 'new'] }),
  )
  write('scripts/say.ts', 'export {}\nconsole.log("said")\n')
  write('test/kept.test.ts', 'export {}\n')
  write('test/deleted.test.ts', 'export {}\n')
  write('old/deep/moved.ts', 'export {}\n')
  write('dist/agent/bootswarm-agent-x86_64', 'not ours to remove')

  const outputs = () => {
    const said = execFileSync(process.execPath, [join(root, 'scripts', 'bootstrap.mjs'), 'say'], {
      encoding: 'utf8',
    })
    assert.equal(said, 'said\n')
    return readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(js|map)$/.test(name))
      .sort()
  }
  const both = (...names: string[]) => names.flatMap((name) => [`${name}.js`, `${name}.js.map`])
  assert.deepEqual(outputs(), both('old/deep/moved', 'scripts/say', 'test/deleted.test', 'test/kept.test'))
  rmSync(join(root, 'test/deleted.test.ts'))
  rmSync(join(root, 'old'), { recursive: true })
  write('new/moved.ts', 'export {}\n')
  assert.deepEqual(outputs(), both('new/moved', 'scripts/say', 'test/kept.test'))
  assert.ok(!existsSync(join(root, 'dist/old')))
  // Nothing is compiled where nothing has changed, and a file of an update that is older than its output is.
  writeFileSync(join(root, 'dist/scripts/say.js'), 'console.log("said")\n')
  const before = statSync(join(root, 'dist/scripts/say.js')).mtimeMs
  outputs()
  assert.equal(statSync(join(root, 'dist/scripts/say.js')).mtimeMs, before)
  write('new/moved.ts', 'export const a = 1\n')
  utimesSync(join(root, 'new/moved.ts'), 1, 1)
  outputs()
  assert.match(readFileSync(join(root, 'dist/new/moved.js'), 'utf8'), /a = 1/)
  assert.ok(existsSync(join(root, 'dist/agent/bootswarm-agent-x86_64')))
})
