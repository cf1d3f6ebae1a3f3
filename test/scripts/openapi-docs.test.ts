import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { OPENAPI_FILE, openApiDocument } from '../../scripts/openapi-docs.js'

test('docs/openapi.json is what the schemas say: node dist/scripts/openapi-docs.js writes it', async () => {
  assert.equal(readFileSync(OPENAPI_FILE, 'utf8'), await openApiDocument())
})
