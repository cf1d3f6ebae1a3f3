/** Which machines may boot: `admit`, and what operators have drained. Pure. */

/** The values of `admit`. */
export const admitModes = ['any', 'known', 'approved'] as const
/** One of them. */
export type AdmitMode = (typeof admitModes)[number]

/** What is known of a machine. */
export interface Candidate {
  /** The configuration names it, by its identity or its MAC. */
  readonly isNamed: boolean
  readonly hasBooted: boolean
  /** An operator approved it. */
  readonly isApproved: boolean
  /** An operator drained it, for this reason, which may be empty. */
  readonly drained: string | undefined
}

/** Why a machine does not boot now. */
export interface Hold {
  readonly code: 'NODE_NOT_ADMITTED' | 'NODE_DRAINED'
  /** For people, in the middle of a sentence. */
  readonly why: string
}

/** What holds a machine back; undefined: it may boot. */
export function holdOf(mode: AdmitMode, candidate: Candidate): Hold | undefined {
  const { isNamed, hasBooted, isApproved, drained } = candidate
  if (drained !== undefined)
    return { code: 'NODE_DRAINED', why: `an operator has drained it${drained === '' ? '' : `: ${drained}`}` }
  if (mode === 'any' || isNamed || isApproved || (mode === 'known' && hasBooted)) return undefined
  return { code: 'NODE_NOT_ADMITTED', why: 'it waits for an operator to approve it' }
}
