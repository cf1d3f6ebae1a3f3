/** Processor architectures, by iPXE's names. */

/** What a kernel can be for. */
export const kernelArchs = ['x86_64', 'arm64', 'i386', 'riscv64', 'loong64'] as const

/** One of {@link kernelArchs}. */
export type KernelArch = (typeof kernelArchs)[number]

/** What Rust, and so the agent, calls differently. */
const agentNames: Readonly<Record<string, KernelArch>> = {
  aarch64: 'arm64',
  x86: 'i386',
  loongarch64: 'loong64',
}

/** iPXE's name of an architecture that iPXE or an agent names; undefined for one that no kernel is looked for. */
export function kernelArch(name: string): KernelArch | undefined {
  return (
    kernelArchs.find((known) => known === name) ??
    (Object.hasOwn(agentNames, name) ? agentNames[name] : undefined)
  )
}
