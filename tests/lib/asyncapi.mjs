// SPDX-License-Identifier: Apache-2.0
// Checks an AsyncAPI document with AsyncAPI's own parser: node asyncapi.mjs FOLDER-OF-THE-PARSER FILE
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [folder, file] = process.argv.slice(2);
const load = createRequire(join(resolve(folder), 'package.json'));
const { Parser, fromFile } = load('@asyncapi/parser');
const { AvroSchemaParser } = load('@asyncapi/avro-schema-parser');

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await fromFile(parser, resolve(file)).parse();
const wrong = diagnostics.filter((found) => found.severity <= 1); // errors and warnings
for (const found of wrong) {
    console.log(`${file}:${found.range.start.line + 1}: ${found.code}: ${found.message} (${found.path.join('/')})`);
}
if (document === undefined || wrong.length > 0) {
    process.exit(1);
}
const channels = document.channels().all();
console.log(`${channels.length} channels, ${document.messages().all().length} messages`);
