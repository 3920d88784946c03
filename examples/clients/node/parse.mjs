// Asks a softspoken server what an utterance means: node parse.mjs ADDRESS TEXT...
// No generated code: the service is read from the .proto at run time.
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../../proto/softspoken/nlu/v1/nlu.proto", import.meta.url));
const DEADLINE_MS = 5000; // an answer takes milliseconds; the first call also connects

function connect(address) {
  const definition = loadSync(PROTO, { enums: String, defaults: true, oneofs: true });
  const { NluService } = grpc.loadPackageDefinition(definition).softspoken.nlu.v1;
  return new NluService(address, grpc.credentials.createInsecure());
}

function parse(client, text) {
  // Offsets in UTF-16 units, so that text.slice(start, end) is right for emoji too.
  const request = { text, options: { offsetUnit: "OFFSET_UNIT_UTF16_UNITS" } };
  const deadline = new Date(Date.now() + DEADLINE_MS);
  return new Promise((resolve, reject) => {
    client.parse(request, { deadline }, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()).join("\n");
}

function intentLines({ ranking }) {
  return ranking.map(({ name, confidence }) => [name, confidence]);
}

function slotLines({ slots }) {
  return slots.map(({ name, role, raw, value, confidence }) => [
    `${role ? `${name} (${role})` : name}: "${raw}" is ${value}`,
    confidence,
  ]);
}

function grammarLines({ edits, confidence }, text) {
  if (edits.length === 0) return [["nothing to correct", confidence]];
  return edits.map(({ span, replacement, confidence }) => [
    `"${text.slice(span.start, span.end)}" becomes "${replacement}"`,
    confidence,
  ]);
}

function answerTable(response, text) {
  const rows = [["SKILL", "OUTCOME", "ANSWER", "CONFIDENCE"]];
  for (const { skill, outcome, intent, slots, grammar } of response.results) {
    const first = [`${skill.name}@${skill.version}`, outcome.replace("OUTCOME_", "")];
    const lines = [
      ...(intent ? intentLines(intent) : []),
      ...(slots ? slotLines(slots) : []),
      ...(grammar ? grammarLines(grammar, text) : []),
    ];
    if (lines.length === 0) rows.push([...first, "-", "-"]);
    lines.forEach(([answer, confidence], place) => {
      rows.push([...(place === 0 ? first : ["", ""]), answer, `${(100 * confidence).toFixed(1)} %`]);
    });
  }
  return table(rows);
}

const [address, ...words] = process.argv.slice(2);
if (words.length === 0) {
  console.error('usage: node parse.mjs ADDRESS TEXT...   e.g. node parse.mjs localhost:50051 "I lost my card"');
  process.exit(2);
}
const client = connect(address);
try {
  const text = words.join(" ");
  console.log(answerTable(await parse(client, text), text));
} catch (error) {
  const remedy = error.code === grpc.status.UNAVAILABLE ? `; is a server running at ${address}?` : "";
  console.error(`${grpc.status[error.code] ?? "ERROR"}: ${error.details ?? error.message}${remedy}`);
  process.exitCode = 1;
} finally {
  client.close();
}
