/** Makes kernel modules smaller: without what loading does not need (type information, debugging, local symbols). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModuleSet } from './modules.js'
import { run } from './run-program.js'

/**
 * The same modules, smaller. Their signatures go: a kernel that is locked down (Secure Boot) would refuse them.
 * Unwind tables stay, so the kernel's traces stay right; a static function in them goes by the name of a neighbour.
 */
export async function stripModules(set: ModuleSet): Promise<ModuleSet> {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-strip-'))
  try {
    const [before, after] = [join(dir, 'before.ko'), join(dir, 'after.ko')]
    const modules = []
    for (const module of set.modules) {
      writeFileSync(before, module.data)
      await run('objcopy', ['--remove-section=.BTF', '--strip-debug', '--strip-unneeded', before, after])
      modules.push({ ...module, data: readFileSync(after) })
    }
    return { ...set, modules }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
