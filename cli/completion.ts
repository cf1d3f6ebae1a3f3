/** Scripts that make shells complete commands, from the table of commands. Pure. */
import type { Flag } from '../src/command-line.js'
import { completionOutline, type Shell, shells } from './completion-outline.js'
import type { Outline } from './outline.js'

/** A command as the table has it. */
export interface Completed {
  readonly name: string
  readonly summary: string
  readonly outline?: Outline
}

/** What may follow the names on the way to a command. */
interface Place {
  /** `node list`; empty: after the program's own name. */
  readonly path: string
  readonly names: readonly { readonly name: string; readonly summary: string }[]
  readonly flags: readonly Flag[]
}

/** What a value of a flag may be. */
type Values =
  | { readonly kind: 'files' }
  | { readonly kind: 'anything' }
  | { readonly kind: 'choices'; readonly choices: readonly string[] }

/** The script of a shell. */
export function completionScript(shell: Shell, commands: readonly Completed[]): string {
  const places = [
    { path: '', names: commands, flags: [] },
    ...commands.flatMap((command) => placesOf(command.outline ?? { ...command, flags: [] }, [])),
  ]
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](places)
}

function placesOf({ name, flags, parts }: Outline, above: readonly string[]): Place[] {
  const path = [...above, name]
  const names =
    name === completionOutline.name ? shells.map((shell) => ({ name: shell, summary: '' })) : (parts ?? [])
  return [{ path: path.join(' '), names, flags }, ...(parts ?? []).flatMap((part) => placesOf(part, path))]
}

function valuesOf({ value = '' }: Flag): Values {
  if (value === 'FILE' || value === 'DIR') return { kind: 'files' }
  return value.includes('|') && !value.includes('=')
    ? { kind: 'choices', choices: value.split('|') }
    : { kind: 'anything' }
}

const dashed = ({ name, short }: Flag) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]
const takesValue = ({ value, valueOptional }: Flag) => value !== undefined && valueOptional !== true

/** Flags that take a value, each once: a value is no name on the way to a command. */
function withValue(places: readonly Place[]): Flag[] {
  const flags = places.flatMap((place) => place.flags).filter(takesValue)
  return flags.filter(({ name }, n) => flags.findIndex((flag) => flag.name === name) === n)
}

function bashScript(places: readonly Place[]): string {
  const flags = withValue(places)
  return `# bash completion of bootswarm; made by \`bootswarm completion bash\`
_bootswarm() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' n
  COMPREPLY=()
  case $previous in
${flags.map((flag) => `    ${dashed(flag).join('|')}) ${bashValues(valuesOf(flag))}; return ;;`).join('\n')}
  esac
  for ((n = 1; n < COMP_CWORD; n++)); do
    case \${COMP_WORDS[n]} in
      ${flags.flatMap(dashed).join('|')}) ((n++)) ;;
      -*) ;;
      *) path+=" \${COMP_WORDS[n]}" ;;
    esac
  done
  case $path in
${deepestFirst(places)
  .map(({ path, names, flags: own }) => {
    const words = [...names.map(({ name }) => name), ...own.flatMap(dashed)]
    const pattern = path === '' ? "''" : `" ${path}"${names.length > 0 ? '' : '*'}`
    return `    ${pattern}) words='${words.join(' ')}' ;;`
  })
  .join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _bootswarm bootswarm ./bootswarm
`
}

function bashValues(values: Values): string {
  if (values.kind === 'files') return 'mapfile -t COMPREPLY < <(compgen -f -- "$current")'
  if (values.kind === 'anything') return ':'
  return `mapfile -t COMPREPLY < <(compgen -W '${values.choices.join(' ')}' -- "$current")`
}

function zshScript(places: readonly Place[]): string {
  const flags = withValue(places)
  return `#compdef bootswarm
# zsh completion of bootswarm; made by \`bootswarm completion zsh\`
_bootswarm() {
  local at='' n
  local -a list
  case $words[CURRENT-1] in
${flags.map((flag) => `    ${dashed(flag).join('|')}) ${zshValues(valuesOf(flag))}; return ;;`).join('\n')}
  esac
  for ((n = 2; n < CURRENT; n++)); do
    case $words[n] in
      ${flags.flatMap(dashed).join('|')}) ((n++)) ;;
      -*) ;;
      *) at+=" $words[n]" ;;
    esac
  done
  case $at in
${deepestFirst(places)
  .map(({ path, names, flags: own }) => {
    const pattern = path === '' ? "''" : `" ${path}"${names.length > 0 ? '' : '*'}`
    const entries = [
      ...names.map(({ name, summary }) => zshEntry(name, summary)),
      ...own.flatMap((flag) => dashed(flag).map((text) => zshEntry(text, flag.description))),
    ]
    return `    ${pattern}) list=(${entries.join(' ')}) ;;`
  })
  .join('\n')}
  esac
  _describe 'bootswarm' list
}
if [[ $funcstack[1] == _bootswarm ]]; then _bootswarm "$@"; else compdef _bootswarm bootswarm; fi
`
}

function zshEntry(name: string, summary: string): string {
  return quoted(summary === '' ? name : `${name}:${summary.replaceAll('\\', '\\\\').replaceAll(':', '\\:')}`)
}

function zshValues(values: Values): string {
  if (values.kind === 'files') return '_files'
  return values.kind === 'anything' ? ':' : `compadd -- ${values.choices.join(' ')}`
}

function fishScript(places: readonly Place[]): string {
  const flags = withValue(places)
  const lines = places.flatMap(({ path, names, flags: own }) => {
    const when = `-n ${quoted(`__bootswarm_at ${names.length > 0 ? 'is' : 'in'} ${path}`.trim())}`
    return [
      ...names.map(
        ({ name, summary }) => `complete -c bootswarm ${when} -f -a ${name}${fishDescription(summary)}`,
      ),
      ...own.map((flag) => {
        const short = flag.short === undefined ? '' : ` -s ${flag.short}`
        return `complete -c bootswarm ${when} -l ${flag.name}${short}${takesValue(flag) ? fishValues(valuesOf(flag)) : ' -f'}${fishDescription(flag.description)}`
      }),
    ]
  })
  return `# fish completion of bootswarm; made by \`bootswarm completion fish\`
function __bootswarm_at
    set -l how $argv[1]
    set -l wanted $argv[2..-1]
    set -l path
    set -l is_value 0
    for word in (commandline -opc)[2..-1]
        if test $is_value = 1
            set is_value 0
        else if contains -- $word ${flags.flatMap(dashed).join(' ')}
            set is_value 1
        else if not string match -q -- '-*' $word
            set -a path $word
        end
    end
    if test $how = is
        test "$path" = "$wanted"
    else
        test (count $path) -ge (count $wanted); and test "$path[1..(count $wanted)]" = "$wanted"
    end
end
complete -c bootswarm -f
${lines.join('\n')}
`
}

function fishValues(values: Values): string {
  if (values.kind === 'files') return ' -r -F'
  return values.kind === 'anything' ? ' -x' : ` -x -a ${quoted(values.choices.join(' '))}`
}

function fishDescription(text: string): string {
  return text === '' ? '' : ` -d ${quoted(text)}`
}

/** So that no pattern hides a longer one. */
function deepestFirst(places: readonly Place[]): Place[] {
  return [...places].sort((a, b) => b.path.length - a.path.length)
}

/** In single quotes, for every one of the shells. */
function quoted(text: string): string {
  return `'${text.replaceAll('’', "'").replaceAll("'", "'\\''")}'`
}
