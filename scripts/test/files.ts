/** The compiled test files, and which of them need what. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../../host/agent-binary.js'

/** All test files below these folders of test/. */
export function testFiles(folders: readonly string[], base = join(root, 'dist', 'test')): string[] {
  return folders.flatMap((folder) =>
    existsSync(join(base, folder))
      ? readdirSync(join(base, folder), { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.test.js'))
          .map((name) => join(base, folder, name))
          .sort()
      : [],
  )
}

/**
 * Whether a test needs root: it or a helper of the tests that it imports asks who it runs as. All that need root do, to
 * say what is not tested.
 */
export function needsRoot(file: string): boolean {
  return sources(file).some((text) => text.includes('process.getuid'))
}

/** What starts a server, an agent or a machine, or builds an image. */
const heavy = ['startServer', 'startAgent', 'startMachine', 'Site', 'makeStage1', 'debianRoot']

/** Whether a test is done in seconds: neither it nor a helper imports what starts processes that take longer. */
export function isQuick(file: string): boolean {
  return !imported(file).some((name) => heavy.includes(name))
}

/** Whether a test starts virtual machines. */
export function usesMachines(file: string): boolean {
  return imported(file).includes('startMachine')
}

function imported(file: string): string[] {
  return sources(file).flatMap((text) =>
    [...text.matchAll(/^import \{([^}]*)\}/gm)].flatMap(([, names = '']) => names.split(/[\s,]+/)),
  )
}

const texts = new Map<string, string[]>()

/** A file's text, and that of all test helpers that it imports. */
function sources(file: string): string[] {
  const known = texts.get(file)
  if (known !== undefined) return known
  const seen = new Set<string>()
  const found: string[] = []
  const visit = (path: string) => {
    if (seen.has(path) || !existsSync(path)) return
    seen.add(path)
    const text = readFileSync(path, 'utf8')
    found.push(text)
    for (const [, name = ''] of text.matchAll(/from '(\.[^']+)'/g)) {
      const target = join(dirname(path), name)
      if (target.includes(`${join('dist', 'test')}/`)) visit(target)
    }
  }
  visit(file)
  texts.set(file, found)
  return found
}
