import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRootfsOptions } from '../../image/rootfs-options.js'
import { BootswarmError } from '../../src/errors.js'

const refused = (args: readonly string[], text: RegExp) =>
  assert.throws(
    () => parseRootfsOptions(args),
    (error) => error instanceof BootswarmError && error.code === 'USAGE_INVALID' && text.test(error.message),
    args.join(' '),
  )

test('without words a root of the default suite goes into the catalog', () => {
  assert.deepEqual(parseRootfsOptions([]), {
    kind: 'build',
    configFile: undefined,
    out: undefined,
    name: undefined,
    format: undefined,
    level: undefined,
    json: false,
    dryRun: false,
    suite: 'bookworm',
    mirror: undefined,
    components: ['main'],
    include: [],
    sshKey: undefined,
    consoleLogin: false,
    kernel: undefined,
    modules: [],
  })
})

test('packages and components are lists, each name once', () => {
  const options = parseRootfsOptions(['--include', 'nano,htop nano', '--components', 'main, contrib'])
  assert.ok(options !== 'help' && options.kind === 'build')
  assert.deepEqual(options.include, ['nano', 'htop'])
  assert.deepEqual(options.components, ['main', 'contrib'])
})

test('what cannot be meant is refused before anything is done', () => {
  refused(['--suit', 'x'], /there is no flag --suit: did you mean --suite/)
  refused(['extra'], /"extra" is no flag/)
  refused(['--suite', '-x'], /--suite/)
  refused(['--mirror', 'ftp.debian.org'], /"ftp.debian.org" is not the URL of a mirror/)
  refused(['--mirror', 'http://a b'], /--mirror/)
  refused(['--include', 'nano;reboot'], /"nano;reboot" is not a package/)
  refused(['--include', '--hook'], /--include/)
  refused(['--format', 'zip'], /one of tar.zst, tar.xz, tar.gz, squashfs/)
  refused(['--level', '20'], /from 1 to 19/)
  refused(['--format', 'tar.xz', '--level', '9'], /from 1 to 6/)
  refused(['--name', '../x'], /plain file name/)
  refused(['--name', '.x'], /plain file name/)
  refused(['--root-login', 'password'], /none, console/)
  refused(['--from', 'x.tar', '--suite', 'sid'], /--suite makes no sense with --from/)
  refused(['--module', 'x'], /--kernel only/)
  refused(['--kernel', 'linux image'], /not a package/)
  refused(['--force'], /--from/)
})
