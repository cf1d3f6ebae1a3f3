/** The report of `image stage1` on what it built. Pure. */
import { STAGE1_BUDGET_BYTES } from '../src/limits.js'
import type { ModuleSet } from './modules.js'

/** What was made; the object of `--json`. */
export interface Stage1Report {
  readonly kernel: {
    readonly release: string
    readonly origin: string
    readonly path: string
    readonly bytes: number
  }
  readonly stage1: {
    readonly path: string
    readonly bytes: number
    readonly compression: string
    readonly archives: readonly {
      readonly content: string
      readonly rawBytes: number
      readonly bytes: number
    }[]
    readonly busybox: Part
    readonly agent: Part
    readonly modules: readonly { readonly name: string; readonly rawBytes: number }[]
    /** Asked for, and part of the kernel itself. */
    readonly builtin: readonly string[]
    /** Directory of the trust files. */
    readonly trust: string
  }
  readonly warnings: readonly string[]
}

interface Part {
  readonly origin: string
  /** Before compression. */
  readonly rawBytes: number
}

/** Warnings, as lines for people. `bytes`: kernel and stage 1 together. */
export function wanting({ modules }: ModuleSet, bytes: number): string[] {
  const warnings: string[] = []
  if (bytes > STAGE1_BUDGET_BYTES) {
    warnings.push(
      `kernel and stage 1 have ${megabytes(bytes)} together, more than ${megabytes(STAGE1_BUDGET_BYTES)}: every node loads them through the server's link`,
    )
  }
  for (const { name, info } of modules) {
    if (info.firmware.length > 0 && !worksWithoutFirmware.has(name)) {
      warnings.push(`${name} may need firmware, which is not in stage 1: ${info.firmware.join(', ')}`)
    }
  }
  return warnings
}

/** r8169 has better defaults with its firmware and links without; tg3 needs none but for TSO of its oldest chips. */
const worksWithoutFirmware = new Set(['r8169', 'tg3'])

/** Lines for people. */
export function report({ kernel, stage1, warnings }: Stage1Report, dryRun: boolean): string[] {
  const row = (bytes: number, what: string) => `  ${megabytes(bytes).padStart(9)}  ${what}`
  const modules = stage1.modules.map(({ name }) => name).join(' ')
  return [
    `${dryRun ? 'would be' : 'made'} for Linux ${kernel.release} (${kernel.origin}):`,
    row(kernel.bytes, kernel.path),
    row(stage1.bytes, `${stage1.path} (${stage1.compression})`),
    ...stage1.archives.map(({ content, bytes, rawBytes }) =>
      row(
        bytes,
        `  ${content === 'programs' ? 'agent, busybox, scripts' : content}, ${megabytes(rawBytes)} unpacked`,
      ),
    ),
    row(kernel.bytes + stage1.bytes, 'together'),
    `  busybox: ${stage1.busybox.origin}; trust: ${stage1.trust}`,
    `  modules: ${modules}`,
    ...(stage1.builtin.length > 0 ? [`  in the kernel itself: ${stage1.builtin.join(' ')}`] : []),
    ...warnings.map((warning) => `warning: ${warning}`),
    ...(dryRun ? [] : ['A running server publishes both by itself.']),
  ]
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(3)} MB`
}
