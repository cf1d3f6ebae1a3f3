/** Makes kernel modules smaller: without type information (BTF) and debugging sections, which loading does not need. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModuleSet } from './modules.js'
import { run } from './run.js'

/**
 * The same modules, smaller. Their signatures go: a kernel that is locked down (Secure Boot) would refuse them.
 * Symbols and unwind tables stay, so that traces of the kernel stay readable.
 */
export async function stripModules(set: ModuleSet): Promise<ModuleSet> {
  const dir = mkdtempSync(join(tmpdir(), 'bootswarm-strip-'))
  try {
    const [before, after] = [join(dir, 'before.ko'), join(dir, 'after.ko')]
    const modules = []
    for (const module of set.modules) {
      writeFileSync(before, module.data)
      await run('objcopy', ['--remove-section=.BTF', '--strip-debug', before, after])
      modules.push({ ...module, data: readFileSync(after) })
    }
    return { ...set, modules }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
