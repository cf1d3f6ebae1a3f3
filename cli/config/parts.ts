/** How the parts of `bootswarm config` are called: their help, and the completion of shells, are made from these. */
import { kernelArchs } from '../../src/arch.js'
import type { Outline } from '../outline.js'
import type { Part } from './arguments.js'
import { configFlag, helpFlag, jsonFlag } from './flags.js'

export const checkPart: Part = {
  name: 'check',
  word: '[FILE]',
  summary: 'whether a file is valid; the first mistake with line and column',
  flags: [helpFlag],
}

export const showPart: Part = {
  name: 'show',
  word: 'NODE',
  summary: 'what a node gets, and which line gives it; NODE is an identity, MAC address or host name',
  flags: [
    { name: 'address', value: 'IP', description: 'as if it had this address (groups and racks by subnet)' },
    { name: 'relay-id', value: 'ID', description: 'as if a DHCP relay saw it there; may be repeated' },
    { name: 'arch', value: 'ARCH', description: `as if its processor were ${kernelArchs.join(', ')}` },
    jsonFlag,
    configFlag,
    helpFlag,
  ],
}

export const diffPart: Part = {
  name: 'diff',
  word: 'FILE',
  summary: 'what FILE would change in place of the configuration in use, and for which nodes',
  flags: [jsonFlag, configFlag, helpFlag],
}

export const applyPart: Part = {
  name: 'apply',
  word: 'FILE',
  summary: 'put FILE in the place of the configuration in use, and have the running server read it',
  flags: [
    { name: 'yes', description: 'do not ask' },
    { name: 'dry-run', description: 'show the difference, and change nothing' },
    {
      name: 'data-dir',
      value: 'DIR',
      description: 'data directory of the running server (default: as configured)',
    },
    configFlag,
    helpFlag,
  ],
}

/** `bootswarm config ...`. */
export const configOutline: Outline = {
  name: 'config',
  summary: 'check, show, compare and apply what nodes get',
  flags: [],
  parts: [checkPart, showPart, diffPart, applyPart].map(({ name, word, summary, flags }) => ({
    ...{ name, summary, flags, words: word },
  })),
}
