/**
 * The package `dhcp` (node-dhcp) as a client: prints the state that it is bound to, as one line of JSON. Its argument is
 * the Ethernet address.
 */
import dhcp from 'dhcp'

const client = dhcp.createClient({ mac: process.argv[2] ?? '' })
client.on('error', (error) => {
  process.stderr.write(`${error}\n`)
  process.exit(1)
})
client.on('bound', (state) => {
  const { address, server, options } = state
  process.stdout.write(`${JSON.stringify({ address, server, options })}\n`, () => process.exit(0))
})
// Only then may it broadcast; at `listening` not yet.
client.listen(68, '0.0.0.0', () => client.sendDiscover())
